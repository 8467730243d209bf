#[machipc::endpoint("com.example.kv")]
trait Kv {
    async fn get(&self, key: &str) -> &str;
    #[oneway]
    async fn put(&self) -> u32;
    async fn add<T>(&mut self, value: T);
}

fn main() {}
