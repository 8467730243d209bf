#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self) -> str;
    fn all(&self) -> [u8];
    fn never(&self) -> !;
}

fn main() {}
