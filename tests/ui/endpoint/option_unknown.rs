#[machipc::endpoint("com.example.kv", version = 2)]
enum Kv {
    Clear,
}

fn main() {}
