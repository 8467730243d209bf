use machipc::Sink;

#[machipc::endpoint("com.example.feed")]
trait Feed {
    fn watch(&self, out: Sink<u32>);
}

struct Numbers;

impl Feed for Numbers {
    fn watch(&self, out: Sink<u32>) {
        let _ = out.send("one");
    }
}

fn main() {}
