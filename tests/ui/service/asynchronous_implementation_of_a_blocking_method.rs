#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn count(&self) -> u32;
}

struct Store;

impl Kv for Store {
    async fn count(&self) -> u32 {
        7
    }
}

fn main() {}
