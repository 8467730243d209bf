//! What a system under comparison has to bring along.

use std::path::PathBuf;

use crate::Outcome;
use crate::ends::{Caller, Desk, Inbox, Outbox};
use crate::systems;
use crate::work::{Kind, Place, Work};

/// A way for processes to talk. To add one: a file in `systems/` with this trait, and a line in [`all`].
///
/// Each method runs in a process of its own and takes as long as the process has to do. What it opens, it finds by
/// [`Job::directory`].
pub trait System: Sync {
    /// How the report calls it.
    fn name(&self) -> &'static str;

    /// How it waits for a message.
    fn waiting(&self) -> Waiting;

    /// Why it does not do this work, if it does not.
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        self.waiting().lacks(work)
    }

    /// Whether a sender can publish many messages at a time.
    fn batches(&self) -> bool {
        false
    }

    /// The receiver of one-way messages: says [`Inbox::ready`], then gives each message to the inbox until that has had enough.
    fn receive(&self, job: &Job, inbox: Inbox) -> Outcome;

    /// A sender: connects, then sends what the outbox has.
    fn send(&self, job: &Job, outbox: Outbox) -> Outcome;

    /// Who answers calls: says [`Desk::ready`], then sends what the desk answers until that has had enough.
    fn serve(&self, job: &Job, desk: Desk) -> Outcome;

    /// Who calls: connects, then makes the calls that it is told to.
    fn call(&self, job: &Job, caller: Caller) -> Outcome;
}

/// How a system waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It looks again and again, and uses up a CPU.
    Polls,
    /// It looks for a moment, then sleeps.
    SpinsThenSleeps,
    /// It sleeps at once.
    Sleeps,
}

impl Waiting {
    /// Why a system that waits so is not tried.
    pub fn lacks(self, work: &Work) -> Option<&'static str> {
        match (self, work.place) {
            (Self::Polls, Place::Same | Place::Free) => Some("polling needs a CPU to itself"),
            _ => None,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Polls => "polls",
            Self::SpinsThenSleeps => "spins, sleeps",
            Self::Sleeps => "sleeps",
        }
    }
}

/// What a process is to do.
pub struct Job {
    pub work: Work,
    /// A directory of this run alone, on a file system in memory where there is one.
    pub directory: PathBuf,
    /// Which client this process is. The first ones send.
    pub client: usize,
}

impl Job {
    /// Runs the receiver's or server's side.
    pub fn host(&self, system: &dyn System) -> Outcome {
        match self.work.kind {
            Kind::OneWay => system.receive(self, Inbox::new(&self.work)),
            Kind::RoundTrip => system.serve(self, Desk::new(&self.work)),
        }
    }

    /// Runs a sender's or caller's side.
    pub fn client(&self, system: &dyn System) -> Outcome {
        match self.work.kind {
            Kind::OneWay => system.send(self, Outbox::new(&self.work, self.client)),
            Kind::RoundTrip => system.call(self, Caller::new(&self.work, self.client)),
        }
    }
}

/// All systems, ours first.
pub fn all() -> Vec<Box<dyn System>> {
    use systems::*;
    vec![
        Box::new(machipc::Machipc { waiting: Waiting::SpinsThenSleeps, trusts: false }),
        Box::new(machipc::Machipc { waiting: Waiting::Polls, trusts: false }),
        Box::new(machipc::Machipc { waiting: Waiting::Sleeps, trusts: false }),
        Box::new(machipc::Machipc { waiting: Waiting::SpinsThenSleeps, trusts: true }),
        #[cfg(feature = "iceoryx2")]
        Box::new(iceoryx2::Iceoryx2 { waiting: Waiting::Polls }),
        #[cfg(feature = "iceoryx2")]
        Box::new(iceoryx2::Iceoryx2 { waiting: Waiting::Sleeps }),
        Box::new(ipc_channel::IpcChannel),
        Box::new(seqpacket::Seqpacket),
        Box::new(pipe::Pipe),
        Box::new(ring::Ring { waiting: Waiting::Polls, copies_out: false }),
        Box::new(ring::Ring { waiting: Waiting::Polls, copies_out: true }),
        Box::new(ring::Ring { waiting: Waiting::SpinsThenSleeps, copies_out: false }),
        Box::new(ring::Ring { waiting: Waiting::Sleeps, copies_out: false }),
    ]
}
