const NAME: &str = "com.example.kv";

#[machipc::endpoint(NAME)]
enum Kv {
    Clear,
}

fn main() {}
