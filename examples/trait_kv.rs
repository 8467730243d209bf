//! A store of values whose endpoint is a trait, in two processes.
//!
//! `cargo run --example trait_kv` starts itself a second time as the host and talks to it. It exits with 1 if anything is not as it
//! should be.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

use machipc::{CallError, Client, Context, Host, MachMessage, Sink};

/// What the two processes speak. The host implements it, and the client has its methods.
#[machipc::endpoint("com.example.trait-kv", flat_errors)]
pub trait Kv {
    /// Finds a value.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// Stores a value, and returns how many there are. The caller learns when it cannot be.
    fn put(&self, key: &str, value: &[u8]) -> Result<u64, Refused>;
    /// Sends what is stored under keys that begin so, and goes on until all is sent.
    fn list(&self, prefix: &str, out: Sink<(String, Vec<u8>)>);
    /// Stores the number of the process that calls: the host knows which it is.
    fn sign(&self, key: &str, cx: &Context) -> bool;
    /// Forgets everything. Nobody waits for it.
    #[oneway]
    fn clear(&self);
    /// Ends the host, once this is answered.
    fn stop(&self, cx: &Context);
}

/// Why a value is not stored.
#[derive(MachMessage, Debug, PartialEq)]
pub enum Refused {
    /// A key has at least one byte.
    EmptyKey,
    /// Values have a largest size, in bytes.
    TooLarge {
        /// In bytes.
        limit: u64,
    },
}

const LARGEST: usize = 4096;

#[derive(Default)]
struct Store(Mutex<BTreeMap<String, Vec<u8>>>);

impl Kv for Store {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(key).cloned()
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<u64, Refused> {
        if key.is_empty() {
            return Err(Refused::EmptyKey);
        }
        if value.len() > LARGEST {
            return Err(Refused::TooLarge { limit: LARGEST as u64 });
        }
        let mut values = self.0.lock().unwrap();
        // Both are borrowed from the message, and copied here because they are kept.
        values.insert(key.to_owned(), value.to_owned());
        Ok(values.len() as u64)
    }

    fn list(&self, prefix: &str, out: Sink<(String, Vec<u8>)>) {
        // A copy, so that a slow reader does not keep the others from the store.
        let values = self.0.lock().unwrap().clone();
        for (key, value) in values.into_iter().filter(|(key, _)| key.starts_with(prefix)) {
            if out.send((key, value)).is_err() {
                return;
            }
        }
        // It fails when the reader has gone, which is the reader's affair.
        let _ = out.finish();
    }

    fn sign(&self, key: &str, cx: &Context) -> bool {
        self.put(key, cx.peer().pid().to_string().as_bytes()).is_ok()
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    fn stop(&self, cx: &Context) {
        cx.stop();
    }
}

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("host"), Some(name)) => serve(&name),
        (None, _) => {
            let name = format!("com.example.trait-kv.{}", std::process::id());
            let mut host = Command::new(std::env::current_exe()?).args(["host", &name]).spawn()?;
            ask(&name, &mut host)
        }
        _ => Err("run it without arguments".into()),
    }
}

/// The host's process.
pub fn serve(name: &str) -> Outcome {
    Host::<KvMessage>::builder().name(name).threads(2).run(KvServer::new(Store::default()).handler())?;
    Ok(())
}

/// The client's process.
pub fn ask(name: &str, host: &mut Child) -> Outcome {
    let kv = KvClient::from_client(Client::connect_to_timeout(name, Duration::from_secs(30))?);
    for (count, key) in (1..).zip(["fruit/apple", "fruit/pear", "milk"]) {
        check(kv.put(key, key.to_uppercase().as_bytes())?, count)?;
    }
    check(kv.get("milk")?, Some(b"MILK".to_vec()))?;
    check(kv.get("beer")?, None)?;

    match kv.put("", b"nothing") {
        Err(CallError::Host(refused)) => check(refused, Refused::EmptyKey)?,
        other => return Err(format!("an empty key, and {other:?}").into()),
    }
    match kv.put("much", &[0; LARGEST + 1]) {
        Err(CallError::Host(refused)) => println!("process {} refuses it: {refused:?}", host.id()),
        other => return Err(format!("too large a value, and {other:?}").into()),
    }

    let fruit = kv.list("fruit/")?.collect::<Result<Vec<_>, _>>()?;
    println!("process {} has {} kinds of fruit", host.id(), fruit.len());
    check(fruit.iter().map(|(key, _)| key.as_str()).collect(), vec!["fruit/apple", "fruit/pear"])?;

    check(kv.sign("me")?, true)?;
    check(kv.get("me")?, Some(std::process::id().to_string().into_bytes()))?;
    kv.clear()?;
    // One thread's messages are taken in order, but the host has two threads: what was sent first may be done last.
    while kv.get("me")?.is_some() {
        std::thread::yield_now();
    }
    kv.stop()?;
    let status = host.wait()?;
    if !status.success() {
        return Err(format!("the host ended with {status}").into());
    }
    println!("all is well");
    Ok(())
}

fn check<T: PartialEq + std::fmt::Debug>(value: T, expected: T) -> Outcome {
    if value == expected { Ok(()) } else { Err(format!("{value:?}, and should be {expected:?}").into()) }
}
