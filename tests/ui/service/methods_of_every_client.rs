#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn connect(&self);
    fn clone(&self) -> u32;
}

fn main() {}
