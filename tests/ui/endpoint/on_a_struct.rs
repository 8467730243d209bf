#[machipc::endpoint("com.example.kv")]
struct Kv {
    key: String,
}

fn main() {}
