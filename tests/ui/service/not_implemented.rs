#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: &str) -> Option<u32>;
}

struct Store;

fn main() {
    let _ = KvServer::new(Store);
}
