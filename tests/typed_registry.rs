//! The short cut inside a process, switched on and off. One test, since the switch is the whole process's.

mod typed_support;

use std::sync::mpsc;
use std::thread::{self, ThreadId};

use machipc::{Client, Context, Error, Host, Reply, registry};
use typed_support::{WATCHDOG, unique};

#[test]
fn lookup_is_switched_off_and_on() {
    let name = unique("registry");
    let (sink, handled) = mpsc::channel::<(ThreadId, bool)>();
    let host = Host::<(u8, Reply<u8>)>::builder()
        .name(&name)
        .bind(move |(number, reply): (u8, Reply<u8>), cx: &Context| {
            sink.send((thread::current().id(), cx.is_local())).unwrap();
            reply.send(number).unwrap();
        })
        .unwrap();
    let connect = || Client::<(u8, Reply<u8>)>::connect_to(&name).unwrap();
    let call = |client: &Client<(u8, Reply<u8>)>| {
        assert_eq!(client.call(|reply| (7, reply)).unwrap(), 7);
        let (thread, local) = handled.recv_timeout(WATCHDOG).unwrap();
        assert_eq!(local, client.is_local());
        assert_eq!(local, thread == thread::current().id(), "a local call runs on the caller's thread");
        local
    };

    assert!(registry::is_lookup_enabled());
    assert_eq!(registry::names(), [name.as_str()]);
    let direct = connect();
    assert!(call(&direct));
    assert_eq!(host.stats().handled, 0);
    // A right to a port of this process leads there too.
    assert!(call(&Client::from_right(host.send_right().unwrap())));

    registry::set_lookup_enabled(false);
    let through_port = connect();
    assert!(!call(&through_port));
    assert!(!call(&Client::from_right(host.send_right().unwrap())));
    assert_eq!(host.stats().handled, 2);
    // Who is connected keeps the way it has, and so does a clone.
    assert!(call(&direct) && call(&direct.clone()));
    assert!(call(&host.client()));

    registry::set_lookup_enabled(true);
    assert!(call(&connect()));
    assert!(!call(&through_port));

    // A client of another message type goes through the port, where it is refused.
    let options = machipc::ConnectOptions::new().name(&name).compare(std::time::Duration::from_secs(60));
    let asked = Client::<(u16, Reply<u8>)>::connect_with(&options);
    assert!(matches!(asked, Err(Error::Fingerprint { .. })), "{asked:?}");
    let other = Client::<(u16, Reply<u8>)>::connect_with(&options.compare(None)).unwrap();
    assert!(!other.is_local());
    assert!(matches!(other.call(|reply| (7, reply)), Err(Error::Fingerprint { .. })));

    drop(host);
    assert!(registry::names().is_empty());
    assert!(matches!(direct.call(|reply| (7, reply)), Err(Error::HostDied { .. })));
    assert!(matches!(through_port.call(|reply| (7, reply)), Err(Error::HostDied { .. })));
}
