//! A store of numbers with calls and typed errors, in two processes, watched by interceptors.
//!
//! `cargo run --example kv` starts itself a second time as the host and talks to it. It exits with 1 if anything is not as it should
//! be.

#![allow(missing_docs, reason = "the fields' names say what they are")]

use std::collections::HashMap;
use std::error::Error;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use machipc::{Client, Context, Counters, Denial, Host, MachMessage, Permission, Reply};

/// What the two processes speak.
#[machipc::endpoint("com.example.numbers")]
pub enum Kv<'a> {
    /// Stores a number. Nobody waits for it.
    Put { key: &'a str, number: i64 },
    /// Finds a number: the one that there is, or that there is none.
    Get { key: &'a str, reply: Reply<Option<i64>> },
    /// Adds to a number, and returns the sum or why there is none.
    Add { key: &'a str, number: i64, reply: Reply<Result<i64, NotAdded>> },
    /// Forgets everything. Not for everybody.
    Clear { reply: Reply<()> },
    /// Returns how many messages of each kind were handled and how many were not.
    Counts { reply: Reply<Vec<(String, u64, u64)>> },
    /// Ends the host.
    Stop { reply: Reply<()> },
}

/// Why a number is not added to: an error like any other, which travels as a message.
#[derive(MachMessage, Debug, Clone, PartialEq)]
pub enum NotAdded {
    /// There is no number under the key.
    NoNumber { key: String },
    /// The sum is too large, or too small.
    Overflow { is: i64, added: i64 },
}

impl std::fmt::Display for NotAdded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoNumber { key } => write!(f, "there is no number under {key:?}"),
            Self::Overflow { is, added } => write!(f, "{is} and {added} are more than a number can be"),
        }
    }
}

impl Error for NotAdded {}

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("host"), Some(name)) => serve(&name),
        (None, _) => {
            let name = format!("com.example.numbers.{}", std::process::id());
            let mut host = Command::new(std::env::current_exe()?).args(["host", &name]).spawn()?;
            ask(&name, &mut host)
        }
        _ => Err("run it without arguments".into()),
    }
}

/// The host's process.
pub fn serve(name: &str) -> Outcome {
    let numbers = Mutex::new(HashMap::<String, i64>::new());
    let counters = Arc::new(Counters::default());
    let counted = counters.clone();
    // Asked before the message is looked into. Here everybody is refused; `message.peer()` is the process that asks.
    let nobody_clears = Permission::new(|message| match message.name() {
        Some("Clear") => Err(Denial::new("numbers are forgotten by their owner alone")),
        _ => Ok(()),
    });
    Host::<Kv>::builder().name(name).intercept(counters).intercept(nobody_clears).run(
        move |message: Kv<'_>, cx: &Context| {
            let mut numbers = numbers.lock().unwrap();
            // An answer that cannot be sent is one for which nobody waits any more.
            let _ = match message {
                Kv::Put { key, number } => {
                    numbers.insert(key.to_owned(), number);
                    Ok(())
                }
                Kv::Get { key, reply } => reply.send(numbers.get(key).copied()),
                Kv::Add { key, number, reply } => reply.send(add(&mut numbers, key, number)),
                Kv::Clear { reply } => {
                    numbers.clear();
                    reply.send(())
                }
                Kv::Counts { reply } => {
                    let counts = counted.read().into_iter();
                    reply.send(
                        counts.map(|(name, count)| (name.to_owned(), count.done, count.failed)).collect(),
                    )
                }
                Kv::Stop { reply } => {
                    cx.stop();
                    reply.send(())
                }
            };
        },
    )?;
    Ok(())
}

fn add(numbers: &mut HashMap<String, i64>, key: &str, added: i64) -> Result<i64, NotAdded> {
    let number = numbers.get_mut(key).ok_or_else(|| NotAdded::NoNumber { key: key.to_owned() })?;
    *number = number.checked_add(added).ok_or(NotAdded::Overflow { is: *number, added })?;
    Ok(*number)
}

/// The client's process.
pub fn ask(name: &str, host: &mut Child) -> Outcome {
    let kv = KvClient::from_client(Client::connect_to_timeout(name, Duration::from_secs(30))?);
    kv.put("apples", 40)?;
    check(kv.get("apples")?, Some(40))?;
    check(kv.get("pears")?, None)?;

    // Two kinds of errors, one in the other: whether the call was answered, and what the answer is.
    check(kv.add("apples", 2)?, Ok(42))?;
    match kv.add("pears", 1)? {
        Ok(sum) => return Err(format!("there are no pears, and {sum}").into()),
        Err(error) => println!("process {} says: {error}", host.id()),
    }
    check(kv.add("apples", i64::MAX)?, Err(NotAdded::Overflow { is: 42, added: i64::MAX }))?;
    // Both are `Error`s: whoever treats them alike has `flat_errors` as well, see `trait_kv`.
    let sum = kv.add("apples", -2)??;
    check(sum, 40)?;

    match kv.clear() {
        Err(error @ machipc::Error::Denied { .. }) => println!("{error}"),
        other => return Err(format!("it should be denied, and {other:?}").into()),
    }
    let quick = KvClient::from_client(kv.client().with_deadline(Duration::from_secs(5)));
    for (name, done, failed) in quick.counts()? {
        println!("{name}: {done} done, {failed} not");
        check((name.as_str(), failed), (name.as_str(), u64::from(name == "Clear")))?;
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
