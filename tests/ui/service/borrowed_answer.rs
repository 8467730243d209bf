#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: &str) -> &str;
    fn all(&self) -> Vec<std::borrow::Cow<'_, str>>;
}

fn main() {}
