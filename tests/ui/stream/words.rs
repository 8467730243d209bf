use machipc::{Sink, Source};

#[machipc::endpoint("com.example.feed")]
enum Feed {
    Watch { #[mach(ool)] out: Sink<u32> },
    Upload { name: String, #[mach(since = 2, default)] parts: Source<u32> },
}

#[machipc::endpoint("com.example.other")]
trait Other {
    fn watch(&self, #[mach(since = 2)] out: Sink<u32>);
}

fn main() {}
