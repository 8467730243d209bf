#[derive(Debug, machipc::MachMessage)]
#[machipc::endpoint("com.example.kv")]
enum Kv {
    Clear,
}

fn main() {}
