#[machipc::endpoint("com.example\0kv")]
enum Kv {
    Clear,
}

fn main() {}
