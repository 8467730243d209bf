#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: &str) -> Option<u32>;
}

struct Store;

impl Kv for Store {
    fn get(&self, key: &str) -> u32 {
        key.len() as u32
    }
}

fn main() {}
