#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: &dyn ToString) -> u32;
    fn put(&self, value: Box<dyn ToString>);
}

fn main() {}
