#[machipc::endpoint("com.example.kv")]
enum Kv {
    Put(String),
    // What `Put` hashes to.
    #[mach(id = 0x4e79_2d8e)]
    Clear,
}

fn main() {}
