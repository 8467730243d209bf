use machipc::{MachMessage, Sink, Source};

#[machipc::endpoint("com.example.feed")]
enum Feed<'a> {
    Watch { prefix: &'a str, out: Sink<&'a str> },
    Upload { parts: Source<Vec<&'a [u8]>> },
}

#[machipc::endpoint("com.example.other")]
trait Other {
    fn watch(&self, out: Sink<&str>);
}

#[derive(MachMessage)]
struct Ends<'a> {
    out: Option<Sink<std::borrow::Cow<'a, str>>>,
}

fn main() {}
