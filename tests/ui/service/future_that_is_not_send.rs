use std::rc::Rc;

#[machipc::endpoint("com.example.kv")]
trait Kv {
    async fn count(&self) -> u32;
}

struct Store;

async fn look() {}

impl Kv for Store {
    async fn count(&self) -> u32 {
        let count = Rc::new(7);
        look().await;
        *count
    }
}

fn main() {}
