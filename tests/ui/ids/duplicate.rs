#[machipc::endpoint("com.example.kv")]
enum Kv {
    #[mach(id = 7)]
    Put(String),
    #[mach(id = 8)]
    Get(String),
    #[mach(id = 7)]
    Clear,
}

fn main() {}
