//! Within one process: machipc's direct call and its queue, beside the channels of the standard library and of crossbeam.
//!
//! Messages are 64 bytes by value. The receiving thread has a CPU to itself and checks that all came in order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use machipc::{Client, Context, Host, registry};

use crate::Outcome;
use crate::ends::wall;
use crate::machine::stay_on;
use crate::notes::{BOUND, Count, Note, note};
use crate::solo::{Done, Group, HostCpu, Way};

const PATIENCE: Duration = Duration::from_secs(30);
pub const CALLS: Group = Group {
    title: "within one process, 64 B, called directly",
    one_thread: true,
    ways: &[
        Way { name: "machipc", waits: "", run: direct_call },
        Way { name: "a dynamic call", waits: "", run: dynamic_call },
    ],
};

pub const QUEUES: Group = Group {
    title: "within one process, 64 B, through a queue to a thread on another CPU",
    one_thread: false,
    ways: &[
        Way { name: "machipc", waits: "spins, sleeps", run: queued },
        Way { name: "std mpsc", waits: "spins, sleeps", run: std_unbounded },
        Way { name: "std sync_channel", waits: "spins, sleeps", run: std_bounded },
        Way { name: "crossbeam unbounded", waits: "spins, sleeps", run: crossbeam_unbounded },
        Way { name: "crossbeam bounded", waits: "spins, sleeps", run: crossbeam_bounded },
    ],
};

fn direct_call(count: u64, _: HostCpu) -> Outcome<Done> {
    let came = Arc::new(Count::default());
    let counter = came.clone();
    let host = Host::<Note>::builder().unnamed().bind(move |note: Note, _: &Context| {
        counter.take(&note);
    })?;
    let client = host.client();
    for number in 0..count {
        client.send(note(number))?;
    }
    Ok(came.get().into())
}

type Handler = dyn Fn(Note, &u64) + Send + Sync;

/// What a direct call costs at least: a handler behind a pointer.
fn dynamic_call(count: u64, _: HostCpu) -> Outcome<Done> {
    let came = Arc::new(Count::default());
    let counter = came.clone();
    let handler: Box<Handler> = Box::new(move |note, _| {
        counter.take(&note);
    });
    let handler = std::hint::black_box(handler);
    for number in 0..count {
        handler(note(number), &0);
    }
    Ok(came.get().into())
}

fn queued(count: u64, cpu: HostCpu) -> Outcome<Done> {
    registry::set_lookup_enabled(false);
    let came = Arc::new((Count::default(), AtomicU64::new(0)));
    let counter = came.clone();
    let name = format!("machipc.compare.inside.{}", std::process::id());
    let served = name.clone();
    let host = thread::spawn(move || -> Result<(), String> {
        stay(cpu)?;
        let run = Host::<Note>::builder().name(served).run(move |note: Note, cx: &Context| {
            let (came, ended) = &*counter;
            if came.take(&note) == count {
                ended.store(wall(), Ordering::Relaxed);
                cx.stop();
            }
        });
        run.map(drop).map_err(|error| error.to_string())
    });
    let client = Client::<Note>::connect_to_timeout(&name, PATIENCE)?;
    let began = wall();
    for number in 0..count {
        client.send(note(number))?;
    }
    joined(host)??;
    Ok(Done { right: came.0.get(), took: Some(came.1.load(Ordering::Relaxed).saturating_sub(began)) })
}

fn std_unbounded(count: u64, cpu: HostCpu) -> Outcome<Done> {
    let (sender, receiver) = mpsc::channel::<Note>();
    through(count, cpu, move |note| Ok(sender.send(note)?), move || receiver.recv().ok())
}

fn std_bounded(count: u64, cpu: HostCpu) -> Outcome<Done> {
    let (sender, receiver) = mpsc::sync_channel::<Note>(BOUND);
    through(count, cpu, move |note| Ok(sender.send(note)?), move || receiver.recv().ok())
}

fn crossbeam_unbounded(count: u64, cpu: HostCpu) -> Outcome<Done> {
    let (sender, receiver) = crossbeam_channel::unbounded::<Note>();
    through(count, cpu, move |note| Ok(sender.send(note)?), move || receiver.recv().ok())
}

fn crossbeam_bounded(count: u64, cpu: HostCpu) -> Outcome<Done> {
    let (sender, receiver) = crossbeam_channel::bounded::<Note>(BOUND);
    through(count, cpu, move |note| Ok(sender.send(note)?), move || receiver.recv().ok())
}

/// Sends through a channel to a thread on a CPU of its own, which takes what comes until the sending half is dropped.
fn through(
    count: u64,
    cpu: HostCpu,
    send: impl Fn(Note) -> Outcome,
    mut next: impl FnMut() -> Option<Note> + Send + 'static,
) -> Outcome<Done> {
    let ready = Arc::new(Barrier::new(2));
    let there = ready.clone();
    let receiver = thread::spawn(move || -> Result<(u64, u64), String> {
        let stays = stay(cpu);
        there.wait();
        stays?;
        let came = Count::default();
        while let Some(note) = next() {
            came.take(&note);
        }
        Ok((came.get(), wall()))
    });
    ready.wait();
    let began = wall();
    for number in 0..count {
        send(note(number))?;
    }
    drop(send);
    let (right, ended) = joined(receiver)??;
    Ok(Done { right, took: Some(ended.saturating_sub(began)) })
}

fn stay(cpu: HostCpu) -> Result<(), String> {
    cpu.map_or(Ok(()), |cpu| stay_on(cpu).map_err(|error| error.to_string()))
}

fn joined<T>(thread: thread::JoinHandle<T>) -> Outcome<T> {
    thread.join().map_err(|_| "a thread panicked".into())
}
