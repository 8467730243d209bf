#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn put(&self, key: str, value: [u8]);
}

fn main() {}
