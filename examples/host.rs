//! A host for one terminal: a store of values by name. The client for another is `examples/client.rs`.
//!
//! `cargo run --example host`

#[path = "kv_endpoint/mod.rs"]
mod kv_endpoint;

use std::collections::HashMap;
use std::sync::Mutex;

use kv_endpoint::{Change, Kv};
use machipc::{Client, ConsoleLogger, Context, Host};

fn main() -> Result<(), machipc::Error> {
    let values = Mutex::new(HashMap::<String, Vec<u8>>::new());
    let watchers = Mutex::new(Vec::<(String, Client<Change>)>::new());
    println!("process {} serves com.example.kv; end it with Ctrl-C", std::process::id());
    Host::<Kv>::builder().logger(ConsoleLogger::default()).run(move |message: Kv<'_>, cx: &Context| {
        let peer = cx.peer().pid();
        match message {
            Kv::Put { key, value } => {
                println!("process {peer} puts {key:?}: {} bytes", value.len());
                values.lock().unwrap().insert(key.to_owned(), value.to_owned());
                // Watchers that have gone are forgotten.
                watchers.lock().unwrap().retain(|(prefix, watcher)| {
                    let change = Change { key: key.to_owned(), bytes: value.len() as u64 };
                    !key.starts_with(prefix) || watcher.send(change).is_ok()
                });
            }
            Kv::Get { key, reply } => {
                println!("process {peer} gets {key:?}");
                let value = values.lock().unwrap().get(key).cloned();
                if let Err(error) = reply.send(value) {
                    println!("process {peer}: {error}");
                }
            }
            Kv::Watch { prefix, changes } => {
                println!("process {peer} watches {prefix:?}");
                watchers.lock().unwrap().push((prefix.to_owned(), Client::from_right(changes)));
            }
        }
    })?;
    Ok(())
}
