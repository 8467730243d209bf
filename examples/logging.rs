//! A host that logs to the console: its start and stop, its throughput, every message, and what a wrong client sends.
//!
//! `cargo run --example logging`

use std::sync::mpsc;
use std::time::Duration;

use machipc::{Client, ConsoleLogger, Context, Host, LogLevel};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = format!("com.example.logging.{}", std::process::id());
    machipc::registry::set_lookup_enabled(false);

    let (sink, received) = mpsc::channel();
    let host = Host::<String>::builder()
        .name(&name)
        .logger(ConsoleLogger::new(LogLevel::Trace))
        .throughput_log(Duration::from_millis(100))
        .bind(move |text: String, _: &Context| {
            let _ = sink.send(text);
        })?;

    let client = Client::<String>::connect_to(&name)?.with_logger(ConsoleLogger::new(LogLevel::Trace));
    client.send("Hello".to_owned())?;
    assert_eq!(received.recv_timeout(Duration::from_secs(10))?, "Hello");

    // A client of another type: the host refuses its message, says why, and goes on.
    Client::<Vec<u8>>::connect_to(&name)?.send(vec![1, 2, 3])?;
    client.send("still here".to_owned())?;
    assert_eq!(received.recv_timeout(Duration::from_secs(10))?, "still here");
    assert_eq!(host.stats().foreign, 1);
    Ok(())
}
