#[machipc::endpoint("com.example.kv", client = "Kv Client", crate)]
enum Kv {
    Clear,
}

fn main() {}
