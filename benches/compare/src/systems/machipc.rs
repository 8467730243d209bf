//! machipc: an endpoint, its generated client, and a host, with the settings that they have by themselves but for how they wait.

use std::cell::RefCell;
use std::thread::LocalKey;
use std::time::Duration;

use machipc::{Client, ConnectOptions, Context, Host, OolBuffer, Reply, Trust};
use zerocopy::{IntoBytes, TryFromBytes};

use crate::Outcome;
use crate::ends::{Caller, Desk, Inbox, Outbox};
use crate::system::{Job, System, Waiting};
use crate::work::{Fill, Work};

pub struct Machipc {
    pub waiting: Waiting,
    /// Whether both sides trust each other, and large messages are built and read in memory that both have mapped.
    pub trusts: bool,
}

/// What is sent. Each run has a directory of names to itself.
#[machipc::endpoint("machipc.compare")]
enum Traffic<'a> {
    Line(&'a Line),
    Bytes(&'a [u8]),
    Lent(OolBuffer),
    AskLine { line: &'a Line, reply: Reply<Line> },
    AskBytes { bytes: &'a [u8], reply: Reply<Vec<u8>> },
    AskLent { request: OolBuffer, reply: Reply<OolBuffer> },
}

/// A short message, as a program would declare one.
#[machipc::pod]
struct Line {
    bytes: [u8; 64],
}

const PATIENCE: Duration = Duration::from_secs(20);

/// What the handler has: it runs on the one thread that calls `run`, and needs no lock.
struct State<T> {
    end: T,
    failure: Option<Box<dyn std::error::Error>>,
}

thread_local! {
    static INBOX: RefCell<Option<State<Inbox>>> = const { RefCell::new(None) };
    static DESK: RefCell<Option<State<Desk>>> = const { RefCell::new(None) };
}

impl System for Machipc {
    fn name(&self) -> &'static str {
        if self.trusts { "machipc, trusted" } else { "machipc" }
    }

    fn waiting(&self) -> Waiting {
        self.waiting
    }

    fn lacks(&self, work: &Work) -> Option<&'static str> {
        if self.trusts && work.len < LENT_FROM {
            return Some("it lends from 64 KiB on");
        }
        if work.fill == Fill::InPlace && !self.trusts {
            return Some("it copies");
        }
        if work.idle > 0 && self.waiting != Waiting::SpinsThenSleeps {
            return Some("its first row stands for it: starting so many processes takes long");
        }
        self.waiting.lacks(work)
    }

    fn batches(&self) -> bool {
        true
    }

    fn receive(&self, _: &Job, inbox: Inbox) -> Outcome {
        self.wait_so();
        inbox.ready()?;
        host(&INBOX, inbox, self.trusts, |message, cx| match message {
            Traffic::Line(line) => with(&INBOX, cx, |inbox| inbox.take(&line.bytes)),
            Traffic::Bytes(bytes) => with(&INBOX, cx, |inbox| inbox.take(bytes)),
            Traffic::Lent(mut memory) => with(&INBOX, cx, |inbox| inbox.take(memory.as_mut_slice())),
            _ => with(&INBOX, cx, |_| Err("a call among one-way messages".into())),
        })
    }

    fn send(&self, job: &Job, mut outbox: Outbox) -> Outcome {
        self.wait_so();
        if self.trusts {
            return lend(job, outbox);
        }
        let client = TrafficClient::connect_timeout(PATIENCE)?;
        if job.work.fill == Fill::Batched {
            return send_in_batches(client.client(), outbox);
        }
        while let Some(message) = outbox.next()? {
            match Line::try_ref_from_bytes(message) {
                Ok(line) => client.line(line)?,
                Err(_) => client.bytes(message)?,
            }
        }
        Ok(())
    }

    fn serve(&self, job: &Job, desk: Desk) -> Outcome {
        self.wait_so();
        desk.ready()?;
        let Work { fill, len, .. } = job.work;
        host(&DESK, desk, self.trusts, move |message, cx| match message {
            Traffic::AskLine { line, reply } => with(&DESK, cx, |desk| {
                let answer = desk.answer(line.as_bytes())?;
                reply.send(Line::try_read_from_bytes(answer).map_err(|_| "an answer of another size")?)?;
                desk.answered()
            }),
            Traffic::AskBytes { bytes, reply } => with(&DESK, cx, |desk| {
                reply.send_view(desk.answer(bytes)?)?;
                desk.answered()
            }),
            Traffic::AskLent { mut request, reply } => with(&DESK, cx, |desk| {
                let mut answer = reply.loan(len)?;
                match fill {
                    Fill::InPlace => {
                        desk.answer_in_place(request.as_mut_slice())?.write_ends(answer.as_mut_slice());
                    }
                    _ => answer.as_mut_slice().copy_from_slice(desk.answer(request.as_mut_slice())?),
                }
                reply.send(answer)?;
                desk.answered()
            }),
            _ => with(&DESK, cx, |_| Err("a one-way message among calls".into())),
        })
    }

    fn call(&self, job: &Job, mut caller: Caller) -> Outcome {
        self.wait_so();
        if self.trusts {
            return ask_lent(job, caller);
        }
        let client = TrafficClient::connect_timeout(PATIENCE)?;
        while let Some((request, answers)) = caller.next_apart()? {
            match Line::try_ref_from_bytes(request) {
                Ok(line) => answers.take(client.ask_line(line)?.as_bytes())?,
                Err(_) => {
                    let ask = |reply| Traffic::AskBytes { bytes: request, reply };
                    client.client().call_view(ask, |answer| answers.take(answer))??;
                }
            }
        }
        Ok(())
    }
}

/// As much as the other systems have slots for.
const POOL: usize = 64 << 20;
/// Smaller messages are not worth a loan.
const LENT_FROM: usize = 64 << 10;

fn trust() -> Trust {
    // SAFETY: both processes are this program, in a directory of names of their own, and a message is left alone once it is sent.
    unsafe { Trust::new() }
}

fn connect_trusting() -> Outcome<TrafficClient> {
    Ok(TrafficClient::connect_with(&ConnectOptions::new().wait(PATIENCE).trust(trust(), POOL))?)
}

/// Calls whose requests and answers are lent.
fn ask_lent(job: &Job, mut caller: Caller) -> Outcome {
    let client = connect_trusting()?;
    let loan = || client.client().loan(job.work.len);
    loop {
        let request = match job.work.fill {
            Fill::InPlace => {
                let Some(stamp) = caller.next_in_place()? else { return Ok(()) };
                let mut request = loan()?;
                stamp.write_ends(request.as_mut_slice());
                request
            }
            _ => {
                let Some(message) = caller.next()? else { return Ok(()) };
                let mut request = loan()?;
                request.as_mut_slice().copy_from_slice(message);
                request
            }
        };
        let mut answer = client.ask_lent(request)?;
        caller.took(answer.as_mut_slice())?;
    }
}

fn lend(job: &Job, mut outbox: Outbox) -> Outcome {
    let client = connect_trusting()?;
    loop {
        let mut memory = client.client().loan(job.work.len)?;
        match job.work.fill {
            Fill::InPlace => {
                let Some(stamp) = outbox.next_in_place()? else { return Ok(()) };
                stamp.write_ends(memory.as_mut_slice());
            }
            Fill::Copied | Fill::Batched => {
                let Some(message) = outbox.next()? else { return Ok(()) };
                memory.as_mut_slice().copy_from_slice(message);
            }
        }
        client.lent(memory)?;
    }
}

fn send_in_batches(client: &Client<Traffic<'static>>, mut outbox: Outbox) -> Outcome {
    let mut batch = client.batch();
    while let Some(message) = outbox.next()? {
        match Line::try_ref_from_bytes(message) {
            Ok(line) => batch.send(Traffic::Line(line)).map_err(|error| error.to_string())?,
            Err(_) => batch.send(Traffic::Bytes(message)).map_err(|error| error.to_string())?,
        }
        if outbox.batch_ends() {
            batch.flush()?;
        }
    }
    Ok(batch.finish()?)
}

impl Machipc {
    /// Says how this process waits.
    fn wait_so(&self) {
        match self.waiting {
            Waiting::SpinsThenSleeps => machipc::Waiting::Adaptive,
            Waiting::Sleeps => machipc::Waiting::Sleep,
            Waiting::Polls => machipc::Waiting::Poll,
        }
        .set();
    }
}

/// Runs a host on this thread until one of its messages is the last, or fails.
fn host<T: 'static>(
    state: &'static LocalKey<RefCell<Option<State<T>>>>,
    end: T,
    trusts: bool,
    handle: impl Fn(Traffic<'_>, &Context) + Send + Sync + 'static,
) -> Outcome {
    state.set(Some(State { end, failure: None }));
    let mut builder = Host::<Traffic>::builder();
    if trusts {
        builder = builder.trust(trust());
    }
    builder.run(handle)?;
    state.take().and_then(|state| state.failure).map_or(Ok(()), Err)
}

/// Does `work` with what this thread's handler has. The host stops when it says `true`, or fails.
#[inline]
fn with<T>(
    state: &'static LocalKey<RefCell<Option<State<T>>>>,
    cx: &Context,
    work: impl FnOnce(&mut T) -> Outcome<bool>,
) {
    state.with_borrow_mut(|state| {
        let Some(state) = state else { return };
        match work(&mut state.end) {
            Ok(false) => {}
            Ok(true) => cx.stop(),
            Err(error) => {
                state.failure = Some(error);
                cx.stop();
            }
        }
    });
}
