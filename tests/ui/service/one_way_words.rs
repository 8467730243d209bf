#[machipc::endpoint("com.example.kv")]
trait Kv {
    #[oneway(now)]
    fn get(&self);
    #[oneway]
    #[oneway]
    fn put(&self);
}

fn main() {}
