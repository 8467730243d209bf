#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, #[mach(since = 2)] limit: u32, key: &str);
    fn put(&self, #[mach(default)] key: &str);
}

fn main() {}
