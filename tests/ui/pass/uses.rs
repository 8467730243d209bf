//! What the documentation shows, as one program.

use machipc::{Context, Error, Host, MachMessage, Reply, SendRight};

#[derive(MachMessage, Debug)]
struct Put<'a> {
    key: &'a str,
    value: &'a [u8],
}

#[derive(MachMessage, Debug)]
struct Event {
    key: String,
}

/// A store.
#[machipc::endpoint("com.example.kv")]
#[derive(Debug)]
enum Kv<'a> {
    Put(Put<'a>),
    Get { key: &'a str, reply: Reply<Option<Vec<u8>>> },
    Load { name: String, #[mach(ool)] data: Vec<u8> },
    Watch { prefix: String, events: SendRight<Event> },
    Clear,
}

fn main() -> Result<(), Error> {
    let name = format!("com.example.kv.{}", std::process::id());
    let host = Host::<Kv>::builder().name(&name).bind(|message: Kv<'_>, _: &Context| match message {
        Kv::Get { key, reply } => reply.send(Some(key.as_bytes().to_vec())).unwrap(),
        Kv::Put(put) => assert_eq!((put.key, put.value), ("a", &b"1"[..])),
        other => panic!("{other:?}"),
    })?;
    let kv = KvClient::connect_to(&name)?;
    kv.put(Put { key: "a", value: b"1" })?;
    assert_eq!(kv.get("a")?, Some(b"a".to_vec()));
    drop(host);
    Ok(())
}
