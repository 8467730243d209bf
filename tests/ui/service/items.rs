#[machipc::endpoint("com.example.kv")]
trait Kv {
    type Key;
    const SIZE: usize;
    fn get(&self);
}

fn main() {}
