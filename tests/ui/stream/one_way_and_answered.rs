use machipc::Sink;

#[machipc::endpoint("com.example.feed")]
trait Feed {
    #[oneway]
    fn watch(&self, out: Sink<u32>) -> u64;
}

fn main() {}
