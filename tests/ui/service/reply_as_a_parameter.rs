#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: &str, answer: machipc::Reply<u32>);
    fn later(&self) -> machipc::Reply<u32>;
    fn count(&self, reply: u32);
}

fn main() {}
