//! What becomes of a message before its handler: who sent it, is it whole, and if not, what is said about it to whom.

use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::interceptor::{MessageInfo, Outcome, Side, Watch};
use crate::logger::LogLevel;
use crate::message::{Decode, DecodeError, MachMessage};
use crate::port::{MachError, Notification, Received};
use crate::reply::wire::{self, Presence, Refusal, Why};
use crate::reply::{Decoding, Fate, Reply, await_reply, salvaged};

use super::complaint::Complaints;
use super::core::{Core, words_of};
use super::idle::Idle;
use super::peers::Known;
use super::stats::{Cause, Counters};

/// Looks at the messages that one of a host's threads receives.
pub(super) struct Gate<'h, M: MachMessage + 'static> {
    pub(super) core: &'h Core<M>,
    pub(super) counters: &'h Counters,
    pub(super) complaints: &'h Mutex<Complaints>,
    pub(super) known: &'h Known,
}

/// What the handler's caller gets of a message: with the time until which an answer is wanted, and what watches it, if anything does.
pub(super) type Opened<V> = (V, Option<Instant>, Option<Box<Watch>>);

impl<M: MachMessage + 'static> Gate<'_, M> {
    /// [`read`](Self::read), for who keeps the message for a while.
    pub(super) fn open<'r>(&self, received: &'r Received<'_>) -> Option<Opened<M::View<'r>>> {
        let mut opened = None;
        self.read(received, |message, deadline, watch| opened = Some((message, deadline, watch)));
        opened
    }

    /// Reads a message and gives it to `then`, see [`Opened`]. What is not for the handler is dealt with. The message is not returned: a
    /// function that returns it moves it, and a move right after it was made waits until it has reached the cache.
    #[inline]
    pub(super) fn read<'r>(
        &self,
        received: &'r Received<'_>,
        then: impl FnOnce(M::View<'r>, Option<Instant>, Option<Box<Watch>>),
    ) {
        let sender = received.sent_by();
        if sender.is_kernel() {
            // A wake-up, or another right to the port that was dropped unused; or the last client has gone.
            if let (Some(idle), Some(Notification::NoSenders { .. })) =
                (&self.core.idle, received.notification())
            {
                idle.no_senders();
            }
            return;
        }
        if !self.core.admits(sender) {
            self.refuse(received, Cause::Denied, &UNWANTED_PEER);
            return;
        }
        self.core.peers.note(sender, self.known);
        if received.reply_is_dead() {
            // Whatever it asks for, nobody waits for it any more.
            self.counters.count_abandoned();
            return;
        }
        let id = received.id();
        if id == wire::COMPARE_ID {
            self.compare(received);
            return;
        }
        let mut watch = None;
        if let Some(chain) = &self.core.interceptors {
            match chain.begin(self.describe(received)) {
                Ok(mut begun) => {
                    if received.wants_reply() {
                        let fate = Arc::<Fate>::default();
                        begun.replies_to(fate.clone());
                        await_reply(Some(fate));
                    }
                    watch = Some(begun);
                }
                Err(denial) => return self.refuse(received, Cause::Denied, &denial),
            }
        }
        let is_watched = watch.is_some();
        let name = std::any::type_name::<M>();
        let mut failed = None;
        let decoding = Decoding::begin(&self.core.shared.streams);
        // Our decoders do not panic, but a message type may bring one of its own. The handler is called in here, too, since what is made here
        // would be moved out; its own panics do not come this far.
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let read = |input: &mut _| M::decode_payload(id, input);
            let decoded = received.decode_then(name, self.core.fingerprint, read, |message| {
                let deadline = decoding.end();
                if is_watched {
                    await_reply(None);
                }
                let log = &self.core.shared.log;
                if log.enabled(LogLevel::Trace) {
                    let (pid, size) = (sender.pid(), received.size());
                    log.line(
                        LogLevel::Trace,
                        format_args!("message {id:#x} of {size} bytes from process {pid}"),
                    );
                }
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    self.late(message);
                    if let Some(watch) = watch.take() {
                        watch.end(&Outcome::Refused(&"nobody waits for the answer any more"));
                    }
                    return;
                }
                then(message, deadline, watch.take());
            });
            if let Err(error) = decoded {
                decoding.end();
                failed = Some(error);
            }
        }));
        if let Err(panic) = caught {
            decoding.end();
            failed = Some(DecodeError::new(format!("the decoder panicked: {}", words_of(&*panic))));
        }
        if let Some(error) = failed {
            if is_watched {
                await_reply(None);
            }
            self.refuse(received, cause_of(&error), &error);
            if let Some(watch) = watch {
                watch.end(&Outcome::Refused(&error));
            }
        }
    }

    /// A message as interceptors see it.
    #[cold]
    fn describe(&self, received: &Received<'_>) -> MessageInfo {
        MessageInfo {
            side: Side::Host,
            endpoint: self.core.endpoint(),
            id: received.id(),
            name: M::message_name(received.id()),
            peer: Some(received.sender()),
            size: received.size(),
            reply_size: 0,
            request: received.wants_reply(),
            local: false,
            trace: received.trace(),
        }
    }

    /// A request whose deadline passed in the queue: nobody waits for its answer, or is about to find that out.
    #[cold]
    fn late(&self, message: M::View<'_>) {
        self.counters.count_abandoned();
        // The reply in it would say that it was dropped. What else is in it may panic over that, like a handler.
        let decoding = Decoding::begin(&self.core.shared.streams);
        let _ = catch_unwind(AssertUnwindSafe(|| drop(message)));
        decoding.end();
        if let Some(right) = salvaged() {
            wire::refuse(right, &Refusal::late());
        }
    }

    /// Tells a client that connects whether it was built from the same definition.
    fn compare(&self, received: &Received<'_>) {
        let name = std::any::type_name::<M>();
        match received.decode_with(name, self.core.fingerprint, Reply::<Presence>::decode) {
            Ok(reply) => {
                // Whoever is in the host's own process is none of those that keep it.
                let idle = self.core.idle.as_ref().filter(|_| *received.sent_by() != self.core.own);
                drop(reply.send(idle.and_then(Idle::admit)));
            }
            Err(error) => self.refuse(received, cause_of(&error), &error),
        }
    }

    /// Counts a message that is not handled, writes about it, and tells whoever waits for an answer.
    fn refuse(&self, received: &Received<'_>, cause: Cause, reason: &dyn Display) {
        self.counters.count_refused(cause);
        let (sender, id, size) = (received.sender(), received.id(), received.size());
        self.complain(format_args!(
            "refused message {id:#x} of {size} bytes from process {} of user {}: {reason}",
            sender.pid(),
            sender.euid()
        ));
        let Some(right) = received.take_reply().or_else(salvaged) else { return };
        let refusal = match cause {
            Cause::Foreign => Refusal::foreign(self.core.dialect().clone()),
            Cause::Denied => Refusal::new(Why::Denied, reason.to_string()),
            Cause::Unsupported => match reason.to_string() {
                // Not of something inside it: the client knows what the message is called.
                text if text == DecodeError::unknown_variant(id).to_string() => {
                    Refusal::no_such_message(id, text)
                }
                text => Refusal::new(Why::Unsupported, text),
            },
            Cause::Malformed | Cause::TooLarge => Refusal::new(Why::Rejected, reason.to_string()),
        };
        wire::refuse(right, &refusal);
    }

    /// An answer that was to leave after its handler did not.
    pub(super) fn unanswered(&self, error: &MachError) {
        // A caller that has given up is its own affair.
        if !error.is_dead_destination() {
            self.complain(format_args!("could not answer a call: {error}"));
        }
    }

    pub(super) fn too_large(&self, limit: usize) {
        self.counters.count_refused(Cause::TooLarge);
        self.complain(format_args!("destroyed a message that is larger than the {limit} bytes allowed"));
    }

    pub(super) fn unreceivable(&self, error: &MachError) {
        self.counters.count_refused(Cause::Malformed);
        self.complain(format_args!("destroyed a message: {error}"));
    }

    fn complain(&self, text: fmt::Arguments<'_>) {
        // A logger that panics leaves whole numbers behind.
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.say(&self.core.shared.log, text);
    }

    /// Tells of the complaints that were not written.
    pub(super) fn sum_up(&self) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.sum_up(&self.core.shared.log);
    }
}

/// Why a process is not served, to it and to the log.
pub(super) const UNWANTED_PEER: &str = "its host's peer policy decides whom it serves (`HostBuilder::peers`)";

fn cause_of(error: &DecodeError) -> Cause {
    if error.fingerprints().is_some() {
        Cause::Foreign
    } else if error.is_unknown_variant() {
        Cause::Unsupported
    } else {
        Cause::Malformed
    }
}
