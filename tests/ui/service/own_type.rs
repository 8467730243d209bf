#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self) -> Self;
    fn put(&self, other: &Self);
    fn add(&self, item: Self::Item);
}

fn main() {}
