#[machipc::endpoint("com.example.kv")]
fn kv() {}

fn main() {}
