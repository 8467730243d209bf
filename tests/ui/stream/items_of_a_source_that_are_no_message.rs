use machipc::{Reply, Source};

struct Secret;

#[machipc::endpoint("com.example.feed")]
enum Feed {
    Upload { secrets: Source<Secret>, reply: Reply<u64> },
}

fn main() {}
