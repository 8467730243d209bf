use machipc::Sink;

#[machipc::endpoint("com.example.feed")]
enum Feed<'a> {
    Watch { prefix: &'a str, out: Sink<u32> },
}

fn watch(feed: &FeedClient) -> Result<(), machipc::Error> {
    let (sink, _source) = machipc::stream::<u32>()?;
    feed.watch("keys", sink)?;
    Ok(())
}

fn main() {}
