//! What is measured in a process of its own, without another: [`inside`](crate::inside) a process, and the [`codec`](crate::codec).

use std::time::Duration;

use rustix::time::ClockId;

use crate::ends::{nanoseconds, tell};
use crate::machine::{Cpus, stay_on};
use crate::process::{Process, lines_of};
use crate::report::Table;
use crate::run::{Directory, Sample};
use crate::{Outcome, codec, inside};

/// Something to do many times.
pub struct Way {
    pub name: &'static str,
    /// How it waits, where it does.
    pub waits: &'static str,
    /// Does it so many times. A thread that it starts is to run on the given CPU.
    pub run: fn(u64, HostCpu) -> Outcome<Done>,
}

/// How it went.
pub struct Done {
    /// How many times it went right.
    pub right: u64,
    /// The nanoseconds that it took, where what comes before and after it is not to count.
    pub took: Option<u64>,
}

impl From<u64> for Done {
    fn from(right: u64) -> Self {
        Self { right, took: None }
    }
}

/// The CPU of a receiving thread, where there are two.
pub type HostCpu = Option<usize>;

/// Ways to the same end, ours first: the first row is what the others are measured by.
pub struct Group {
    pub title: &'static str,
    /// One thread does all, so that the processor time that it takes is what counts, whatever else the machine does.
    pub one_thread: bool,
    pub ways: &'static [Way],
}

/// All of them, in the order of the report.
pub const GROUPS: [&Group; 5] =
    [&inside::CALLS, &inside::QUEUES, &codec::ENCODE, &codec::BORROW, &codec::OWN];

const PATIENCE: Duration = Duration::from_secs(30);
const MOST: u64 = 50_000_000;
/// The first round that counts.
const WARM_UP: u32 = 4;

/// Measures the ways of a group, by its number.
pub fn table(group: usize, turns: usize, round: Duration, wanted: impl Fn(&str) -> bool) -> Table {
    let ways = GROUPS[group].ways.iter().enumerate();
    let mut table = Table::titled(GROUPS[group].title.to_owned());
    for (index, way) in ways.filter(|(index, way)| *index == 0 || wanted(way.name)) {
        table.push(way.name, way.waits, index);
    }
    for turn in 0..turns {
        table.take_turn(turn, |way| once(group, way, round));
    }
    table
}

fn once(group: usize, way: usize, round: Duration) -> Outcome<Sample> {
    let words = ["solo".to_owned(), group.to_string(), way.to_string(), round.as_nanos().to_string()];
    let directory = Directory::new()?;
    let mut process = Process::start(&words, &directory.path)?;
    let lines = lines_of(&mut [&mut process], None, PATIENCE)?;
    let time = lines[0].parse()?;
    process.end(PATIENCE)?;
    Ok(Sample { time, ..Sample::default() })
}

/// The process in which a way is measured: rounds until one takes at least half of `wanted` nanoseconds.
pub fn take_part(group: usize, way: usize, wanted: u64) -> Outcome {
    let group = GROUPS.get(group).ok_or("there is no such group")?;
    let way = group.ways.get(way).ok_or("there is no such way")?;
    let clock = if group.one_thread { ClockId::ThreadCPUTime } else { ClockId::Monotonic };
    let cpus = Cpus::find()?;
    cpus.map_or(Ok(()), |cpus| stay_on(cpus.clients))?;
    let mut count = 1;
    for rounds in 1.. {
        let start = nanoseconds(clock);
        let done = (way.run)(count, cpus.map(|cpus| cpus.host))?;
        let took = done.took.unwrap_or_else(|| nanoseconds(clock) - start);
        if done.right != count {
            return Err(format!("{} of {count} were right", done.right).into());
        }
        if rounds >= WARM_UP && (took >= wanted / 2 || count == MOST) {
            return tell(&format!("{}", took as f64 / count as f64));
        }
        count = (count * (wanted / took.max(1)).clamp(1, 16)).min(MOST);
    }
    Err("no end of rounds".into())
}
