#[machipc::endpoint("com.example.kv")]
enum Kv {
    #[mach(id = 0x8000_0000)]
    Put(String),
    #[mach(id = -1)]
    Get(String),
}

fn main() {}
