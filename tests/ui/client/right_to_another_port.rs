use machipc::{MachMessage, SendRight};

#[derive(MachMessage)]
struct Event(u32);

#[machipc::endpoint("com.example.watch")]
enum Watch {
    Start { events: SendRight<Event> },
}

fn start(watch: &WatchClient, right: SendRight<String>) -> Result<(), machipc::Error> {
    watch.start(right)
}

fn main() {}
