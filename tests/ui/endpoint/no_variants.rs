#[machipc::endpoint("com.example.kv")]
enum Kv {}

fn main() {}
