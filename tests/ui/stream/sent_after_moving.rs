use machipc::Sink;

#[machipc::endpoint("com.example.feed")]
enum Feed {
    Watch { out: Sink<u32> },
}

fn watch(feed: &FeedClient) -> Result<(), machipc::Error> {
    let (sink, source) = machipc::stream::<u32>()?;
    feed.client().send(Feed::Watch { out: sink })?;
    sink.send(1)?;
    drop(source);
    Ok(())
}

fn main() {}
