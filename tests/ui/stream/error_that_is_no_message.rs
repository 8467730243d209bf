use machipc::Sink;

struct Broken;

#[machipc::endpoint("com.example.feed")]
trait Feed {
    fn watch(&self, out: Sink<u32, Broken>);
}

fn main() {}
