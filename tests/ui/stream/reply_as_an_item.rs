use machipc::{Reply, Sink};

#[machipc::endpoint("com.example.feed")]
enum Feed {
    Ask { out: Sink<Reply<u32>> },
}

fn main() {}
