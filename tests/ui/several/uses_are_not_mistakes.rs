use machipc::{Client, Host, MachMessage, Reply};

// One mistake in each of the two types, and none in what uses them.

#[derive(MachMessage)]
struct Event {
    kind: u32,
    source: *const u8,
}

#[derive(MachMessage)]
struct Batch {
    events: Vec<Event>,
}

#[machipc::endpoint("")]
enum Log {
    Add(Batch),
    Count { reply: Reply<u64> },
}

fn main() -> Result<(), machipc::Error> {
    let _host = Host::<Log>::bind(|_: Log, _: &machipc::Context| {})?;
    let log = LogClient::connect()?;
    log.add(Batch { events: Vec::new() })?;
    let _: u64 = log.count()?;
    let _ = Client::<Event>::connect_to("com.example.events")?;
    Ok(())
}
