//! Streams, both ways, between two processes.
//!
//! `cargo run --release --example watch` starts itself a second time as the host. The host sends readings to a reader who is slower than
//! it, takes a file in parts from a writer, and is killed in the middle of a stream. It exits with 1 if anything is not as it should be.

use std::error::Error;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use machipc::{Client, Context, Host, MachMessage, Reply, Sink, Source, StreamError};

/// What the host can be asked to do.
#[machipc::endpoint("com.example.watch")]
enum Station<'a> {
    /// Sends so many readings of a sensor.
    Watch { sensor: &'a str, count: u64, readings: Sink<Reading, Fault> },
    /// Takes a file in parts and answers with its size and sum, once it has all.
    Store { name: &'a str, parts: Source<Vec<u8>>, reply: Reply<Stored> },
}

#[derive(MachMessage, Debug, Clone, Copy, PartialEq)]
struct Reading {
    number: u64,
    value: f64,
}

/// Why there are no more readings.
#[derive(MachMessage, Debug, PartialEq)]
enum Fault {
    NoSuchSensor,
}

#[derive(MachMessage, Debug, PartialEq)]
struct Stored {
    name: String,
    bytes: u64,
    sum: u64,
}

impl Reading {
    fn nth(number: u64) -> Self {
        Self { number, value: (number as f64 / 100.0).sin() }
    }
}

const READINGS: u64 = 100_000;
const PARTS: u64 = 500;
const PART: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("host"), Some(name)) => serve(&name),
        (None, _) => {
            let name = format!("com.example.watch.{}", std::process::id());
            let mut host = Command::new(std::env::current_exe()?).args(["host", &name]).spawn()?;
            let outcome = watch(&name, &mut host);
            // Whatever has happened.
            let _ = host.kill();
            let _ = host.wait();
            outcome
        }
        _ => Err("run it without arguments".into()),
    }
}

/// The host's process.
pub fn serve(name: &str) -> Outcome {
    let host =
        Host::<Station>::builder().name(name).bind(|message: Station<'_>, _: &Context| match message {
            Station::Watch { sensor: "thermometer", count, readings } => {
                // The handler returns, and the stream goes on from a thread of its own.
                thread::spawn(move || measure(count, &readings).and_then(|()| readings.finish()));
            }
            Station::Watch { readings, .. } => drop(readings.fail(Fault::NoSuchSensor)),
            Station::Store { name, parts, reply } => {
                let name = name.to_owned();
                thread::spawn(move || match store(name, parts) {
                    Ok(stored) => drop(reply.send(stored)),
                    // Dropping the reply tells the caller, who knows why its parts did not come.
                    Err(error) => eprintln!("not stored: {error}"),
                });
            }
        })?;
    host.wait();
    Ok(())
}

fn measure(count: u64, readings: &Sink<Reading, Fault>) -> Result<(), machipc::Error> {
    // Waits for the reader when it is too far ahead, and ends when the reader has gone.
    (0..count).try_for_each(|number| readings.send(Reading::nth(number)).map_err(Into::into))
}

fn store(name: String, parts: Source<Vec<u8>>) -> Result<Stored, StreamError> {
    let mut stored = Stored { name, bytes: 0, sum: 0 };
    for part in parts {
        let part = part?;
        stored.bytes += part.len() as u64;
        stored.sum += part.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    }
    Ok(stored)
}

/// The client's process.
pub fn watch(name: &str, host: &mut Child) -> Outcome {
    let station = StationClient::from_client(Client::connect_to_timeout(name, PATIENCE)?);

    let start = Instant::now();
    let mut readings = station.watch("thermometer", READINGS)?;
    for number in 0..READINGS {
        let reading = readings.next().ok_or("the readings end too early")??;
        check(reading, Reading::nth(number))?;
        if number % 10_000 == 0 {
            // A reader that is slow now and then: the host is at most the stream's window ahead.
            thread::sleep(Duration::from_millis(10));
        }
    }
    check(readings.next(), None)?;
    println!("{READINGS} readings from process {}, each checked, in {:.1?}", host.id(), start.elapsed());

    let fault = station.watch("barometer", 1)?.next();
    check(fault, Some(Err(StreamError::Failed(Fault::NoSuchSensor))))?;

    let (stored, parts) = station.store("map")?;
    for number in 0..PARTS {
        parts.send(vec![number as u8; PART])?;
    }
    parts.finish()?;
    let sum = (0..PARTS).map(|number| u64::from(number as u8) * PART as u64).sum();
    let stored = stored.wait()?;
    println!("process {} has stored {} bytes", host.id(), stored.bytes);
    check(stored, Stored { name: "map".to_owned(), bytes: PARTS * PART as u64, sum })?;

    // A reader that wants no more just drops its end.
    drop(station.watch("thermometer", u64::MAX)?);

    let mut readings = station.watch("thermometer", u64::MAX)?;
    for number in 0..1000 {
        check(readings.next(), Some(Ok(Reading::nth(number))))?;
    }
    host.kill()?;
    let killed = Instant::now();
    let end = readings.find_map(|reading| reading.err());
    check(end, Some(StreamError::ProducerGone))?;
    println!("process {} was killed, which ended its stream {:.1?} later", host.id(), killed.elapsed());
    println!("all is well");
    Ok(())
}

fn check<T: PartialEq + std::fmt::Debug>(value: T, expected: T) -> Outcome {
    if value == expected { Ok(()) } else { Err(format!("{value:?}, and should be {expected:?}").into()) }
}
