#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&mut self) -> u32;
    fn take(self);
    fn shared(self: std::sync::Arc<Self>);
    fn make(size: u32);
}

fn main() {}
