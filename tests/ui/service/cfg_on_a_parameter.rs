#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, #[cfg(unix)] key: &str) -> u32;
}

fn main() {}
