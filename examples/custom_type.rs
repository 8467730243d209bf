//! A message type of one's own: a struct that borrows what it can.
//!
//! `cargo run --example custom_type`

use std::sync::mpsc;
use std::time::Duration;

use machipc::{Client, Context, Host, MachMessage};

/// The host sees `name` and `samples` where they were received, without a copy.
#[derive(MachMessage, Debug, PartialEq)]
struct Reading<'a> {
    name: &'a str,
    samples: &'a [f64],
    unit: Unit,
    taken_after: Duration,
}

#[derive(MachMessage, Debug, PartialEq, Clone, Copy)]
enum Unit {
    Celsius,
    Percent { of: u32 },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = format!("com.example.custom-type.{}", std::process::id());

    let (sink, means) = mpsc::channel();
    let host = Host::<Reading>::builder().name(&name).bind(move |reading: Reading<'_>, _: &Context| {
        let mean = reading.samples.iter().sum::<f64>() / reading.samples.len() as f64;
        println!(
            "host: {} is {mean} {:?} on average, taken after {:?}",
            reading.name, reading.unit, reading.taken_after
        );
        let _ = sink.send(mean);
    })?;

    // A client of the host's own process would hand over the value itself; here the message is to go the whole way.
    machipc::registry::set_lookup_enabled(false);
    let client = Client::<Reading>::connect_to(host.name())?;

    let taken_after = Duration::from_millis(1500);
    client.send(Reading {
        name: "oven",
        samples: &[180.5, 181.0, 181.5],
        unit: Unit::Celsius,
        taken_after,
    })?;
    client.send(Reading {
        name: "fan",
        samples: &[40.0, 60.0],
        unit: Unit::Percent { of: 3000 },
        taken_after,
    })?;

    for expected in [181.0, 50.0] {
        assert_eq!(means.recv_timeout(Duration::from_secs(10))?, expected);
    }
    Ok(())
}
