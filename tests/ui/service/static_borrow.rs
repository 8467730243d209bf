#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: &'static str) -> u32;
}

fn main() {}
