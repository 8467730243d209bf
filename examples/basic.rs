//! A host and a client of plain strings, under a name chosen at run time.
//!
//! `cargo run --example basic`

use std::sync::mpsc;
use std::time::Duration;

use machipc::{Client, Context, Host};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = format!("com.example.basic.{}", std::process::id());

    let (sink, received) = mpsc::channel();
    let host = Host::<String>::builder().name(&name).bind(move |text: String, cx: &Context| {
        println!("host:   process {} says {text:?}", cx.peer().pid());
        let _ = sink.send(text);
    })?;

    let client = Client::<String>::connect_to(&name)?;
    for text in ["Hello", "Mach", "IPC"] {
        client.send(text.to_owned())?;
        let echoed = received.recv_timeout(Duration::from_secs(10))?;
        assert_eq!(echoed, text);
    }

    drop(host);
    match client.send("anyone there?".to_owned()) {
        Ok(()) => Err("the host is gone and the message still left".into()),
        Err(failed) => {
            println!("client: {failed}");
            Ok(())
        }
    }
}
