#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: impl AsRef<str>) -> impl Clone;
    fn all(&self, keys: Vec<impl AsRef<str>>);
}

fn main() {}
