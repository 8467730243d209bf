#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, (key, index): (u32, u32));
    fn put(&self, _: u32);
    fn add(&self, mut value: u32);
}

fn main() {}
