use machipc::{Reply, Sink};

#[machipc::endpoint("com.example.feed")]
enum Feed {
    Watch { reply: Reply<u32>, out: Sink<u32> },
    List { out: Sink<u32>, first: Reply<u32>, second: Reply<u32> },
}

fn main() {}
