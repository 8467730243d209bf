//! A host's thread: receives, checks, decodes, calls the handler.

use std::sync::Mutex;
use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::logger::LogLevel;
use crate::message::MachMessage;
use crate::port::{Deadline, MachError, MessageBuffer, Outgoing, ReceiveRight, Sender};
use crate::reply::Outbox;
use crate::scope::Scope;

use super::UNNAMED;
use super::complaint::Complaints;
use super::core::Core;
use super::ending::Ended;
use super::gate::Gate;
use super::idle::Idle;
use super::pace::Pace;
use super::throughput::Throughput;

/// What a thread is told about how to receive.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// As the user said.
    pub(super) receive_buffer: Option<usize>,
    pub(super) largest_message: usize,
    pub(super) high_performance_above: Option<u32>,
    pub(super) spin_budget: Duration,
    pub(super) throughput_log: Option<Duration>,
}

impl Manner {
    /// Room for any message whose payload stays inline, with header, descriptors and trailer: a thread has one such buffer.
    pub(super) fn thread_buffer(&self) -> usize {
        self.receive_buffer.unwrap_or(72 * 1024)
    }

    /// Room for a common message: every message that is handled by a task has such a buffer.
    pub(super) fn task_buffer(&self) -> usize {
        self.receive_buffer.unwrap_or(4 * 1024)
    }

    pub(super) fn pace(&self) -> Pace {
        Pace::new(self.high_performance_above, self.spin_budget)
    }
}

/// After so many failed receives in a row, nothing will come any more.
pub(super) const FAILURES: u32 = 1000;

/// Handles messages on this thread, the host's `index`-th, until the host stops.
pub(super) fn serve<M: MachMessage + 'static>(
    core: &Core<M>,
    port: &ReceiveRight<()>,
    index: usize,
    manner: &Manner,
) {
    let (Some(counters), Some(known)) = (core.counters.get(index), core.peers.known(index)) else { return };
    let shared = &core.shared;
    let mut context = Context::new(shared.clone(), core.own, false);
    let gate = Gate { core, counters, complaints: &Mutex::new(Complaints::new()), known };
    let mut buffer = MessageBuffer::with_capacity(manner.thread_buffer());
    buffer.set_largest(manner.largest_message);
    let mut pace = manner.pace();
    // The first thread speaks for all.
    let mut throughput = manner
        .throughput_log
        .filter(|_| index == 0)
        .map(|interval| Throughput::new(interval, core.counters.len() == 1));
    let mut outbox = Outbox::default();
    let mut failures = 0;
    // One that takes more than it handles at once would leave other threads without work.
    let several = core.counters.len() == 1;

    while !shared.is_stopping() {
        let mut deadline = pace.deadline();
        if let Some(throughput) = &mut throughput {
            throughput.look(core, &shared.log);
            deadline = deadline.min(throughput.deadline());
        }
        if let Some(idle) = &core.idle {
            deadline = deadline.min(idle.deadline());
        }
        match &mut outbox.send_and_receive(port, &mut buffer, deadline, several) {
            Ok(row) => {
                failures = 0;
                while let Some(received) = &row.next() {
                    // A host that stops handles what it has in hand, and nothing after it.
                    if shared.is_stopping() && !shared.ending.takes(received) {
                        continue;
                    }
                    let wants_reply = received.wants_reply();
                    gate.read(received, |message, deadline, watch| {
                        counters.count_handled();
                        let trace = received.trace();
                        context.set_message(received.sent_by(), deadline, &trace);
                        let handle = || core.handle_watched(message, &context, counters, watch);
                        if wants_reply {
                            outbox.lend(|| Scope { deadline, trace }.enter(handle));
                        } else if trace.is_some() {
                            Scope { deadline, trace }.enter(handle);
                        } else {
                            handle();
                        }
                    });
                    pace.message();
                }
                core.idle.iter().for_each(Idle::message);
            }
            // The port has gone because the host is shutting down.
            Err(error) if error.is_receiver_gone() && shared.is_stopping() => break,
            Err(error) if !error.is_receive() => gate.unanswered(error),
            Err(error) if error.is_timed_out() => {
                pace.empty();
                core.end_if_idle();
            }
            Err(error) if error.is_too_large() => gate.too_large(manner.largest_message),
            Err(error) => {
                failures += 1;
                if error.is_receiver_gone() || failures == FAILURES {
                    shared.log.line(LogLevel::Error, format_args!("the host cannot go on: {error}"));
                    shared.stop_because(Ended::Failed);
                } else {
                    gate.unreceivable(error);
                }
            }
        }
    }
    if let Err(error) = outbox.send() {
        gate.unanswered(&error);
    }
    while let Some(mut parcel) = shared.ending.next() {
        let Some(received) = parcel.open() else { continue };
        gate.read(&received, |message, deadline, watch| {
            counters.count_handled();
            let trace = received.trace();
            context.set_message(received.sent_by(), deadline, &trace);
            Scope { deadline, trace }.enter(|| core.handle_watched(message, &context, counters, watch));
        });
    }
    if let Some(throughput) = &mut throughput {
        throughput.finish(core, &shared.log);
    }
    gate.sum_up();
    // Another thread of the host may be waiting still.
    shared.stop();
}

/// Wakes one thread that waits on `port`: a send-once right that is dropped unused makes the kernel send a notification,
/// for which any queue has room. What the wake-up is about is in a flag that the thread looks at then, so that nobody who
/// sends to the port can stop the host.
pub(crate) fn wake(port: &ReceiveRight<()>) -> Result<(), MachError> {
    port.make_send_once().map(drop)
}

/// This process as its own messages show it.
pub(super) fn own_identity() -> Result<Sender, Error> {
    let failed = |source| Error::Mach { endpoint: UNNAMED.to_owned(), source };
    let port = ReceiveRight::<()>::new().map_err(failed)?;
    let right = port.make_send_once().map_err(failed)?;
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, &())
        .map_err(|source| Error::Encode { endpoint: UNNAMED.to_owned(), source })?
        .move_send_once(&right)
        .send(Deadline::never())
        .map_err(failed)?;
    Ok(port.receive(&mut buffer, Deadline::never()).map_err(failed)?.sender())
}
