//! Hosts for tests within one process.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};

use machipc::{Client, Context, Host, MachMessage, Reply};

use super::unique;

/// The short cut to a host of this process, and the way through its port.
pub fn both_ways<M: MachMessage>(host: &Host<M>) -> [Client<M>; 2] {
    // Nobody in these binaries wants the short cut from `from_right` and `connect_to`.
    machipc::registry::set_lookup_enabled(false);
    let port = Client::from_right(host.send_right().unwrap());
    assert!(host.client().is_local() && !port.is_local());
    [host.client(), port]
}

/// A host that hands on what it gets.
pub fn collector<T: MachMessage + for<'a> MachMessage<View<'a> = T> + Send>(
    tag: &str,
) -> (Host<T>, Receiver<T>) {
    let (sink, received) = mpsc::channel();
    let sink = Mutex::new(sink);
    let host = Host::<T>::builder()
        .name(unique(tag))
        .bind(move |message: T, _: &Context| sink.lock().unwrap().send(message).unwrap())
        .unwrap();
    (host, received)
}

/// Asks for the square of a number; some numbers are answered otherwise.
pub type Square = (u64, Reply<u64>);

pub const DROPPED: u64 = 0;
pub const PANICS: u64 = 13;
pub const FORGOTTEN: u64 = 99;

/// Replies that are neither sent nor dropped. Something refers to them, so they are no leaks to a leak detector.
static NEVER_ANSWERED: Mutex<Vec<Reply<u64>>> = Mutex::new(Vec::new());

pub fn squares() -> Host<Square> {
    Host::<Square>::builder()
        .name(unique("squares"))
        .bind(|(number, reply): Square, _: &Context| match number {
            DROPPED => drop(reply),
            // A panic without the words on standard error.
            PANICS => std::panic::resume_unwind(Box::new("unlucky")),
            FORGOTTEN => NEVER_ANSWERED.lock().unwrap().push(reply),
            number => reply.send(number * number).unwrap(),
        })
        .unwrap()
}
