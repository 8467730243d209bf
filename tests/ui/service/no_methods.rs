#[machipc::endpoint("com.example.kv")]
trait Kv {
}

fn main() {}
