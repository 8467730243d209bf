//! Both ends of a run, as the systems see them: what to send, and where to give what came. They check, count and measure, and
//! speak with the process that directs the run, through standard input and output.

use std::io::Write;
use std::time::Duration;

use quanta::Clock;
use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::message::{Body, Checker, Mark, Stamp};
use crate::work::{BATCH, Work};

/// What directs a process, a line each.
mod words {
    pub const READY: &str = "ready";
    pub const CONNECTED: &str = "connected";
    pub const ENDED: &str = "ended";
    pub const END: &str = "end";
}

/// Writes a line to whoever directs this process.
pub fn tell(line: &str) -> Outcome {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// What whoever directs this process says next: how many messages to send, or none to end.
fn next_round() -> Outcome<Option<u64>> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    match line.trim_end() {
        words::END | "" => Ok(None),
        count => Ok(Some(count.parse()?)),
    }
}

/// Waits until whoever directs this process has no more to say.
fn await_end() -> Outcome {
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    Ok(())
}

/// Nanoseconds of a clock that all processes share.
pub fn wall() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// Nanoseconds of processor time that this process has used.
fn processor() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

/// What a clock shows.
pub fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What a host says of a round.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostRound {
    pub count: u64,
    /// When the last message was there, in nanoseconds of the shared clock.
    pub ended: u64,
    /// Nanoseconds of processor time from the first to the last.
    pub processor: u64,
}

/// What a client says of a round.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientRound {
    /// When it began, in nanoseconds of the shared clock.
    pub began: u64,
    pub ended: u64,
    pub processor: u64,
    /// Nanoseconds that half, 99 % and 99.9 % of the round trips took at most; 0 for one-way messages.
    pub quantiles: [u64; 3],
}

impl HostRound {
    pub fn parse(line: &str) -> Outcome<Self> {
        let [count, ended, processor] = numbers(line)?;
        Ok(Self { count, ended, processor })
    }
}

impl ClientRound {
    fn tell(&self) -> Outcome {
        let Self { began, ended, processor, quantiles: [half, most, nearly_all] } = self;
        tell(&format!("{began} {ended} {processor} {half} {most} {nearly_all}"))
    }

    pub fn parse(line: &str) -> Outcome<Self> {
        let [began, ended, processor, half, most, nearly_all] = numbers(line)?;
        Ok(Self { began, ended, processor, quantiles: [half, most, nearly_all] })
    }
}

fn numbers<const N: usize>(line: &str) -> Outcome<[u64; N]> {
    let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
    numbers?.try_into().map_err(|_| format!("{line:?} is no result").into())
}

/// What a host counts of the messages that come.
struct Tally {
    checker: Checker,
    senders: usize,
    count: u64,
    rounds_ended: usize,
    ended: usize,
    processor_before: u64,
}

impl Tally {
    fn new(work: &Work) -> Self {
        let senders = work.senders;
        Self {
            checker: Checker::new(work),
            senders,
            count: 0,
            rounds_ended: 0,
            ended: 0,
            processor_before: 0,
        }
    }

    #[inline]
    fn take(&mut self, message: &[u8]) -> Outcome<Stamp> {
        if self.count == 0 {
            self.processor_before = processor();
        }
        let stamp = self.checker.check(message)?;
        self.count += 1;
        match stamp.mark {
            Mark::None => {}
            Mark::RoundEnds => self.rounds_ended += 1,
            Mark::End => self.ended += 1,
        }
        Ok(stamp)
    }

    /// Tells how the round went, if this was its last message.
    #[inline]
    fn look(&mut self) -> Outcome {
        if self.rounds_ended == self.senders {
            tell(&format!("{} {} {}", self.count, wall(), processor() - self.processor_before))?;
            (self.count, self.rounds_ended) = (0, 0);
        }
        Ok(())
    }

    #[inline]
    fn is_done(&self) -> bool {
        self.ended == self.senders
    }
}

/// Where the receiver of one-way messages puts them.
pub struct Inbox {
    tally: Tally,
}

impl Inbox {
    pub fn new(work: &Work) -> Self {
        Self { tally: Tally::new(work) }
    }

    /// Says that clients may connect.
    pub fn ready(&self) -> Outcome {
        tell(words::READY)
    }

    /// Takes a message. When it says `true`, that was the last.
    #[inline]
    pub fn take(&mut self, message: &[u8]) -> Outcome<bool> {
        self.tally.take(message)?;
        self.tally.look()?;
        Ok(self.tally.is_done())
    }
}

/// Who answers calls.
pub struct Desk {
    tally: Tally,
    body: Body,
}

impl Desk {
    pub fn new(work: &Work) -> Self {
        Self { tally: Tally::new(work), body: Body::new(work.len) }
    }

    /// Says that clients may connect.
    pub fn ready(&self) -> Outcome {
        tell(words::READY)
    }

    /// The answer to a request.
    #[inline]
    pub fn answer(&mut self, request: &[u8]) -> Outcome<&[u8]> {
        let stamp = self.tally.take(request)?;
        Ok(self.body.stamped(stamp))
    }

    /// The ends of the answer to a request, to be written in place.
    #[inline]
    pub fn answer_in_place(&mut self, request: &[u8]) -> Outcome<Stamp> {
        self.tally.take(request)
    }

    /// To be asked when an answer has been sent. When it says `true`, that was the last.
    #[inline]
    pub fn answered(&mut self) -> Outcome<bool> {
        self.tally.look()?;
        Ok(self.tally.is_done())
    }
}

/// Which messages a client has to send.
struct Plan {
    sender: u32,
    /// A connected client that sends nothing.
    idle: bool,
    number: u64,
    /// How many are left of this round; none between rounds.
    left: u64,
    /// The last message has been sent.
    ended: bool,
    round: ClientRound,
    connected: bool,
}

impl Plan {
    fn new(work: &Work, client: usize) -> Self {
        Self {
            sender: client as u32,
            idle: client >= work.senders,
            number: 0,
            left: 0,
            ended: false,
            round: ClientRound::default(),
            connected: false,
        }
    }

    /// The next message. Between two rounds `round_ended` tells how the last one went.
    #[inline]
    fn next(&mut self, round_ended: impl FnOnce(&mut ClientRound)) -> Outcome<Option<Stamp>> {
        if self.left == 0 {
            return self.between_rounds(round_ended);
        }
        Ok(Some(self.of_round()))
    }

    /// The next message of a round that is not over.
    #[inline]
    fn of_round(&mut self) -> Stamp {
        self.left -= 1;
        self.stamp(if self.left == 0 { Mark::RoundEnds } else { Mark::None })
    }

    #[inline]
    fn stamp(&mut self, mark: Mark) -> Stamp {
        let stamp = Stamp { number: self.number, sender: self.sender, mark };
        self.number += 1;
        stamp
    }

    #[cold]
    fn between_rounds(&mut self, round_ended: impl FnOnce(&mut ClientRound)) -> Outcome<Option<Stamp>> {
        if self.ended {
            // What was sent may still be on its way, and not every system keeps it when its sender is gone.
            tell(words::ENDED)?;
            await_end()?;
            return Ok(None);
        }
        if !self.connected {
            tell(words::CONNECTED)?;
            self.connected = true;
        } else {
            self.round.ended = wall();
            self.round.processor = processor() - self.round.processor;
            round_ended(&mut self.round);
            self.round.tell()?;
        }
        if self.idle {
            await_end()?;
            return Ok(None);
        }
        let Some(count) = next_round()?.filter(|&count| count > 0) else {
            self.ended = true;
            return Ok(Some(self.stamp(Mark::End)));
        };
        self.left = count;
        self.round = ClientRound { began: wall(), processor: processor(), ..ClientRound::default() };
        Ok(Some(self.of_round()))
    }
}

/// Where a sender gets its messages from.
pub struct Outbox {
    plan: Plan,
    body: Body,
}

impl Outbox {
    pub fn new(work: &Work, client: usize) -> Self {
        Self { plan: Plan::new(work, client), body: Body::new(work.len) }
    }

    /// The next message to send, if there is one. Between two rounds this waits.
    #[inline]
    pub fn next(&mut self) -> Outcome<Option<&[u8]>> {
        // Apart, so that nothing on the way is returned in memory and waited for.
        if self.plan.left > 0 {
            let stamp = self.plan.of_round();
            return Ok(Some(self.body.stamped(stamp)));
        }
        Ok(self.plan.next(|_| ())?.map(|stamp| self.body.stamped(stamp)))
    }

    /// Whether what has been sent makes a whole batch, or the round is over: what was collected is to be sent now.
    #[inline]
    pub fn batch_ends(&self) -> bool {
        self.plan.left.is_multiple_of(BATCH)
    }

    /// The ends of the next message, to be written in place.
    #[inline]
    pub fn next_in_place(&mut self) -> Outcome<Option<Stamp>> {
        self.plan.next(|_| ())
    }
}

/// Who makes calls and measures them.
pub struct Caller {
    plan: Plan,
    body: Body,
    pause: Duration,
    answers: Answers,
}

/// Where a caller's answers go.
pub struct Answers {
    checker: Checker,
    clock: Clock,
    asked: u64,
    took: Vec<u64>,
}

/// How many round trips of a round are kept, so that no memory is needed while it lasts.
const KEPT: usize = 1 << 20;

impl Caller {
    pub fn new(work: &Work, client: usize) -> Self {
        let (checker, took) = (Checker::new(work), Vec::with_capacity(KEPT));
        Self {
            plan: Plan::new(work, client),
            body: Body::new(work.len),
            pause: Duration::from_micros(work.pause.into()),
            answers: Answers { checker, clock: Clock::new(), asked: 0, took },
        }
    }

    /// The next request, if there is one, after the pause, if there is one. The time runs.
    #[inline]
    pub fn next(&mut self) -> Outcome<Option<&[u8]>> {
        Ok(self.next_apart()?.map(|(request, _)| request))
    }

    /// [`next`](Self::next), and what takes the answer while the request is still in use.
    #[inline]
    pub fn next_apart(&mut self) -> Outcome<Option<(&[u8], &mut Answers)>> {
        let Some(stamp) = self.next_stamp()? else { return Ok(None) };
        let request = self.body.stamped(stamp);
        self.answers.ask();
        Ok(Some((request, &mut self.answers)))
    }

    /// The ends of the next request, to be written in place. The time runs.
    #[inline]
    pub fn next_in_place(&mut self) -> Outcome<Option<Stamp>> {
        let stamp = self.next_stamp()?;
        self.answers.ask();
        Ok(stamp)
    }

    #[inline]
    fn next_stamp(&mut self) -> Outcome<Option<Stamp>> {
        let Answers { clock, took, .. } = &mut self.answers;
        let stamp = self.plan.next(|round| {
            took.iter_mut().for_each(|took| *took = clock.delta_as_nanos(0, *took));
            took.sort_unstable();
            round.quantiles = [0.5, 0.99, 0.999].map(|part| quantile(took, part));
            took.clear();
        })?;
        if stamp.is_some() && !self.pause.is_zero() {
            std::thread::sleep(self.pause);
        }
        Ok(stamp)
    }

    /// Takes the answer. The time has run until now.
    #[inline]
    pub fn took(&mut self, answer: &[u8]) -> Outcome {
        self.answers.take(answer)
    }
}

impl Answers {
    #[inline]
    fn ask(&mut self) {
        self.asked = self.clock.raw();
    }

    /// As [`Caller::took`].
    #[inline]
    pub fn take(&mut self, answer: &[u8]) -> Outcome {
        let took = self.clock.raw() - self.asked;
        if self.took.len() < KEPT {
            self.took.push(took);
        }
        self.checker.check(answer)?;
        Ok(())
    }
}

fn quantile(sorted: &[u64], part: f64) -> u64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at).or(sorted.last()).copied().unwrap_or(0)
}

/// What the director waits for, and says.
pub mod direct {
    pub use super::words::{CONNECTED, END, ENDED, READY};
}
