#[machipc::endpoint("com.example.kv", client = Store, client = Shop)]
enum Kv {
    Clear,
}

fn main() {}
