#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get<'k>(&self, key: &'k str) -> u32;
}

fn main() {}
