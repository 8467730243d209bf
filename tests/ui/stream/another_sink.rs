struct Sink<T>(T);

#[machipc::endpoint("com.example.feed")]
enum Feed {
    Watch { out: Sink<u32> },
}

fn main() {}
