#[machipc::endpoint("com.example.kv")]
trait Kv<'a, T> {
    fn get(&self, key: T) -> u32;
}

fn main() {}
