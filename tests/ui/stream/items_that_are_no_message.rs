use machipc::Sink;

struct Secret;

#[machipc::endpoint("com.example.feed")]
enum Feed {
    Watch { out: Sink<Secret> },
}

fn main() {}
