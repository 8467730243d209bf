#[machipc::endpoint("com.example.kv")]
#[mach(crate = "machipc")]
enum Kv {
    Clear,
}

fn main() {}
