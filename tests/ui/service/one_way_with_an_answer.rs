#[machipc::endpoint("com.example.kv")]
trait Kv {
    #[oneway]
    fn get(&self, key: &str) -> u32;
    #[oneway]
    fn put(&self) -> Result<(), String>;
}

fn main() {}
