//! A host's thread: receives, checks, decodes, calls the handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::logger::LogLevel;
use crate::message::{Decode, DecodeError, MachMessage};
use crate::port::{Deadline, MachError, MessageBuffer, Outgoing, ReceiveRight, Received, Sender};
use crate::reply::wire::{self, Refusal, Why};
use crate::reply::{Outbox, Reply, decoding, salvaged};

use super::UNNAMED;
use super::complaint::Complaints;
use super::core::{Core, words_of};
use super::pace::Pace;
use super::stats::{Cause, Counters};
use super::throughput::Throughput;

/// What a thread is told about how to receive.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) receive_buffer: usize,
    pub(super) largest_message: usize,
    pub(super) high_performance_above: Option<u32>,
    pub(super) spin_budget: Duration,
    pub(super) throughput_log: Option<Duration>,
}

/// After so many failed receives in a row, nothing will come any more.
const FAILURES: u32 = 1000;

struct Worker<'h, M: MachMessage + 'static> {
    core: &'h Core<M>,
    counters: &'h Counters,
    context: Context,
    complaints: Complaints,
}

/// Handles messages on this thread, the host's `index`-th, until the host stops.
pub(super) fn serve<M: MachMessage + 'static>(
    core: &Core<M>,
    port: &ReceiveRight<()>,
    index: usize,
    manner: &Manner,
) {
    let Some(counters) = core.counters.get(index) else { return };
    let shared = &core.shared;
    let context = Context::new(shared.clone(), core.own, false);
    let mut worker = Worker { core, counters, context, complaints: Complaints::new() };
    let mut buffer = MessageBuffer::with_capacity(manner.receive_buffer);
    buffer.set_largest(manner.largest_message);
    let mut pace = Pace::new(manner.high_performance_above, manner.spin_budget);
    // The first thread speaks for all.
    let mut throughput = manner
        .throughput_log
        .filter(|_| index == 0)
        .map(|interval| Throughput::new(interval, core.counters.len() == 1));
    let mut outbox = Outbox::default();
    let mut failures = 0;

    while !shared.is_stopping() {
        let mut deadline = pace.deadline();
        if let Some(throughput) = &mut throughput {
            throughput.look(core, &shared.log);
            deadline = deadline.min(throughput.deadline());
        }
        match outbox.send_and_receive(port, &mut buffer, deadline) {
            Ok(received) => {
                failures = 0;
                if received.wants_reply() {
                    outbox.lend(|| worker.message(&received));
                } else {
                    worker.message(&received);
                }
                drop(received);
                pace.message();
            }
            Err(error) if !error.is_receive() => worker.unanswered(&error),
            Err(error) if error.is_timed_out() => pace.empty(),
            Err(error) if error.is_too_large() => worker.too_large(manner.largest_message),
            Err(error) => {
                failures += 1;
                if error.is_receiver_gone() || failures == FAILURES {
                    shared.log.line(LogLevel::Error, format_args!("the host cannot go on: {error}"));
                    shared.stop();
                } else {
                    worker.unreceivable(&error);
                }
            }
        }
    }
    if let Err(error) = outbox.send() {
        worker.unanswered(&error);
    }
    if let Some(throughput) = &mut throughput {
        throughput.finish(core, &shared.log);
    }
    worker.complaints.sum_up(&shared.log);
    // Another thread of the host may be waiting still.
    shared.stop();
}

/// Wakes one thread that waits on `port`: a send-once right that is dropped unused makes the kernel send a notification,
/// for which any queue has room. What the wake-up is about is in a flag that the thread looks at then, so that nobody who
/// sends to the port can stop the host.
pub(crate) fn wake(port: &ReceiveRight<()>) -> Result<(), MachError> {
    port.make_send_once().map(drop)
}

impl<M: MachMessage + 'static> Worker<'_, M> {
    fn message(&mut self, received: &Received<'_>) {
        let sender = received.sender();
        if sender.is_kernel() {
            // A wake-up, or another right to the port that was dropped unused.
            return;
        }
        if !self.core.admits(&sender) {
            return self.refuse(received, Cause::Denied, &format_args!("the peer policy does not admit it"));
        }
        let id = received.id();
        if id == wire::COMPARE_ID {
            return self.compare(received);
        }
        let name = std::any::type_name::<M>();
        let (decoded, deadline) = decoding(|| {
            // Our decoders do not panic, but a message type may bring one of its own.
            catch_unwind(AssertUnwindSafe(|| {
                received.decode_with(name, self.core.fingerprint, |input| M::decode_payload(id, input))
            }))
            .unwrap_or_else(|panic| {
                Err(DecodeError::new(format!("the decoder panicked: {}", words_of(&*panic))))
            })
        });
        match decoded {
            Ok(message) => {
                let log = &self.core.shared.log;
                if log.enabled(LogLevel::Trace) {
                    let (pid, size) = (sender.pid(), received.size());
                    log.line(
                        LogLevel::Trace,
                        format_args!("message {id:#x} of {size} bytes from process {pid}"),
                    );
                }
                self.counters.count_handled();
                self.context.set_message(sender, deadline);
                self.core.handle(message, &self.context, self.counters);
            }
            Err(error) => self.refuse(received, cause_of(&error), &error),
        }
    }

    /// Tells a client that connects whether it was built from the same definition.
    fn compare(&mut self, received: &Received<'_>) {
        let name = std::any::type_name::<M>();
        match received.decode_with(name, self.core.fingerprint, Reply::<()>::decode) {
            Ok(reply) => drop(reply.send(())),
            Err(error) => self.refuse(received, cause_of(&error), &error),
        }
    }

    /// Counts a message that is not handled, writes about it, and tells whoever waits for an answer.
    fn refuse(&mut self, received: &Received<'_>, cause: Cause, reason: &dyn std::fmt::Display) {
        self.counters.count_refused(cause);
        let (sender, id, size) = (received.sender(), received.id(), received.size());
        self.complaints.say(
            &self.core.shared.log,
            format_args!(
                "refused message {id:#x} of {size} bytes from process {} of user {}: {reason}",
                sender.pid(),
                sender.euid()
            ),
        );
        let Some(right) = received.take_reply().or_else(salvaged) else { return };
        let refusal = match cause {
            Cause::Foreign => Refusal::foreign(self.core.dialect().clone()),
            Cause::Denied => Refusal::new(Why::Denied, String::new()),
            Cause::Unsupported => Refusal::new(Why::Unsupported, reason.to_string()),
            Cause::Malformed | Cause::TooLarge => Refusal::new(Why::Rejected, reason.to_string()),
        };
        wire::refuse(right, &refusal);
    }

    /// An answer that was to leave after its handler did not.
    fn unanswered(&mut self, error: &MachError) {
        // A caller that has given up is its own affair.
        if !error.is_dead_destination() {
            self.complaints.say(&self.core.shared.log, format_args!("could not answer a call: {error}"));
        }
    }

    fn too_large(&mut self, limit: usize) {
        self.counters.count_refused(Cause::TooLarge);
        let text = format_args!("destroyed a message that is larger than the {limit} bytes allowed");
        self.complaints.say(&self.core.shared.log, text);
    }

    fn unreceivable(&mut self, error: &MachError) {
        self.counters.count_refused(Cause::Malformed);
        self.complaints.say(&self.core.shared.log, format_args!("destroyed a message: {error}"));
    }
}

fn cause_of(error: &DecodeError) -> Cause {
    if error.fingerprints().is_some() {
        Cause::Foreign
    } else if error.is_unknown_variant() {
        Cause::Unsupported
    } else {
        Cause::Malformed
    }
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
