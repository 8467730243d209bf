#[machipc::endpoint("com.example.kv")]
#[derive(Debug, machipc::MachMessage)]
enum Kv {
    Clear,
}

fn main() {}
