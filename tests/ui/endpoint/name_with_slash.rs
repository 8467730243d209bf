#[machipc::endpoint("com.example/kv")]
enum Kv {
    Clear,
}

fn main() {}
