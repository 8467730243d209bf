//! How many calls of `mach_msg` typed messages cost each side, and that there are no others: on Darwin each is one trap
//! into the kernel. Printed by `cargo test -p machipc --lib trap -- --nocapture`.

use std::sync::mpsc;

use crate::port::{message_calls, other_calls};
use crate::{Client, Context, Host, MachMessage, Reply, registry};

const MESSAGES: u64 = 1000;

/// The way to a host through its port.
fn through_the_port<M: MachMessage>(host: &Host<M>) -> Client<M> {
    registry::set_lookup_enabled(false);
    let client = Client::from_right(host.send_right().unwrap());
    assert!(!client.is_local());
    client
}

/// A host that counts its thread's calls from one message to the next, and the sum of that for [`MESSAGES`].
fn counted<M: MachMessage>(
    handle: impl for<'a> Fn(M::View<'a>) + Send + Sync + 'static,
) -> (Host<M>, mpsc::Receiver<[u64; 2]>) {
    let (tell, told) = mpsc::channel();
    let host = Host::<M>::builder()
        .unnamed()
        .bind(move |message: M::View<'_>, _: &Context| {
            // Before the handler's own calls, so a message counts those of the one before it.
            tell.send(calls()).unwrap();
            handle(message);
        })
        .unwrap();
    (host, told)
}

/// What this thread called so far: `mach_msg`, and whatever else is a trap.
fn calls() -> [u64; 2] {
    [message_calls(), other_calls()]
}

/// Sends [`MESSAGES`] and one more with `send`; returns how many `mach_msg` each cost the sender and the host.
fn cost(host: &mpsc::Receiver<[u64; 2]>, mut send: impl FnMut(u64)) -> (f64, f64) {
    send(0);
    let (client, server) = (calls(), host.recv().unwrap());
    (1..=MESSAGES).for_each(&mut send);
    let last = host.iter().take(MESSAGES as usize).last().unwrap();
    let each = |before: [u64; 2], after: [u64; 2]| {
        assert_eq!(after[1], before[1], "other calls than mach_msg");
        (after[0] - before[0]) as f64 / MESSAGES as f64
    };
    (each(client, calls()), each(server, last))
}

#[test]
fn traps_of_a_one_way_message() {
    let (host, told) = counted::<u64>(|_| ());
    let client = through_the_port(&host);
    let (sender, receiver) = cost(&told, |number| client.send(number).unwrap());
    println!("mach_msg calls of a one-way message: {sender} by its sender, {receiver} by the host");
    assert_eq!((sender, receiver), (1.0, 1.0));
}

#[test]
fn traps_of_a_call() {
    type Echo = (u64, Reply<u64>);
    let (host, told) = counted::<Echo>(|(number, reply)| drop(reply.send_on_return(number)));
    let client = through_the_port(&host);
    let ask = |number| assert_eq!(client.call(|reply| (number, reply)).unwrap(), number);
    let (caller, server) = cost(&told, ask);
    println!("mach_msg calls of a call answered on return: {caller} by its caller, {server} by the host");
    assert_eq!((caller, server), (1.0, 1.0));

    let (host, told) = counted::<Echo>(|(number, reply)| drop(reply.send(number)));
    let client = through_the_port(&host);
    let ask = |number| assert_eq!(client.call(|reply| (number, reply)).unwrap(), number);
    let (caller, server) = cost(&told, ask);
    println!("mach_msg calls of a call answered at once: {caller} by its caller, {server} by the host");
    assert_eq!((caller, server), (1.0, 2.0));
}
