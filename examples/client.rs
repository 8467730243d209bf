//! A client for one terminal. The host for another is `examples/host.rs`.
//!
//! ```text
//! cargo run --example client -- put greeting hello
//! cargo run --example client -- get greeting
//! cargo run --example client -- watch gre
//! ```

#[path = "kv_endpoint/mod.rs"]
mod kv_endpoint;

use std::process::ExitCode;
use std::time::Duration;

use kv_endpoint::{Change, KvClient};
use machipc::{Context, Error, Host};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["put", key, value] => put(key, value),
        ["get", key] => get(key),
        ["watch", prefix] => watch(prefix),
        _ => {
            eprintln!("usage: client put KEY VALUE | get KEY | watch PREFIX");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn connect() -> Result<KvClient, Error> {
    // A host that is just being started has a moment to appear.
    KvClient::connect_timeout(Duration::from_secs(5))
}

fn put(key: &str, value: &str) -> Result<(), Error> {
    connect()?.put(key, value.as_bytes())
}

fn get(key: &str) -> Result<(), Error> {
    match connect()?.get(key)? {
        Some(value) => println!("{}", String::from_utf8_lossy(&value)),
        None => println!("{key:?} has no value"),
    }
    Ok(())
}

/// Prints changes until it is ended, or the host is.
fn watch(prefix: &str) -> Result<(), Error> {
    let kv = connect()?;
    let listener = Host::<Change>::builder().unnamed().bind(|change: Change, cx: &Context| {
        println!("{:?} now has {} bytes, says process {}", change.key, change.bytes, cx.peer().pid());
    })?;
    kv.watch(prefix, listener.send_right()?)?;
    while !kv.client().is_dead() {
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("the host has gone");
    Ok(())
}
