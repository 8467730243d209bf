#[machipc::endpoint]
enum Kv {
    Clear,
}

fn main() {}
