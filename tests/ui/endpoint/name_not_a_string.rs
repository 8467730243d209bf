#[machipc::endpoint(7)]
enum Kv {
    Clear,
}

fn main() {}
