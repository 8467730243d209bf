use machipc::{CallError, Reply};

#[machipc::endpoint("com.example.feed", flat_errors)]
enum Feed {
    Check { reply: Reply<Result<u32, String>> },
}

fn check(feed: &FeedClient) -> Result<u32, CallError<u32>> {
    feed.check()
}

fn main() {}
