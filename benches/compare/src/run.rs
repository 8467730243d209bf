//! One run: a system does a work once, in processes of its own.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::Outcome;
use crate::ends::direct::{CONNECTED, END, ENDED, READY};
use crate::ends::{ClientRound, HostRound};
use crate::machine::Cpus;
use crate::process::{Process, lines_of};
use crate::work::{Place, Word, Work};

/// What a run measured, for each message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Nanoseconds from the first send to the last arrival, divided.
    pub time: f64,
    /// Nanoseconds of processor time, of all processes. None where nobody measured it.
    pub processor: Option<f64>,
    /// Nanoseconds that half, 99 % and 99.9 % of the round trips took at most.
    pub quantiles: Option<[u64; 3]>,
}

/// Nothing that works takes this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many clients start together.
const AT_ONCE: usize = 32;
/// More messages than a round ever needs.
const MOST: u64 = 50_000_000;
/// The first round that counts.
const WARM_UP: u32 = 4;
/// By how much a round may outgrow the one before it.
const GROWTH: f64 = 16.0;

/// Makes runs.
pub struct Run {
    round: Duration,
    cpus: Option<Cpus>,
}

impl Run {
    /// Runs whose measured round takes about so long.
    pub fn new(round: Duration) -> Outcome<Self> {
        Ok(Self { round, cpus: Cpus::find()? })
    }

    /// Lets a system, by its number, do the work.
    pub fn once(&self, system: usize, work: &Work) -> Outcome<Sample> {
        let directory = Directory::new()?;
        self.within(&directory.path, system, work)
    }

    fn within(&self, directory: &Path, system: usize, work: &Work) -> Outcome<Sample> {
        let (host_cpu, client_cpu) = match (work.place, self.cpus) {
            (Place::Free, _) => (None, None),
            (Place::Split, Some(cpus)) => (Some(cpus.host), Some(cpus.clients)),
            (Place::Same, Some(cpus)) => (Some(cpus.host), Some(cpus.host)),
            (Place::Split, None) => return Err("this process may use one CPU only".into()),
            (Place::Same, None) => (None, None),
        };
        let start = |role: &str, client: usize, cpu: Option<usize>| {
            let cpu = cpu.map_or("any".to_owned(), |cpu| cpu.to_string());
            let words = [
                role.to_owned(),
                system.to_string(),
                Word(work).to_string(),
                directory.display().to_string(),
                client.to_string(),
                cpu,
            ];
            Process::start(&words, directory)
        };
        let mut host = start("host", 0, host_cpu)?;
        expect(READY, &lines_of(&mut [&mut host], None, PATIENCE)?)?;
        let mut clients = Vec::new();
        while clients.len() < work.clients() {
            let at_once = clients.len()..work.clients().min(clients.len() + AT_ONCE);
            let mut some: Vec<Process> =
                at_once.map(|client| start("client", client, client_cpu)).collect::<Outcome<_>>()?;
            let mut all: Vec<&mut Process> = some.iter_mut().collect();
            expect(CONNECTED, &lines_of(&mut all, Some(&mut host), PATIENCE)?)?;
            clients.append(&mut some);
        }

        let senders = &mut clients[..work.senders];
        let sample = self.measure(&mut host, senders)?;

        for sender in senders.iter_mut() {
            sender.tell(END)?;
        }
        let mut senders: Vec<&mut Process> = clients[..work.senders].iter_mut().collect();
        expect(ENDED, &lines_of(&mut senders, None, PATIENCE)?)?;
        host.end(PATIENCE)?;
        clients.into_iter().try_for_each(|client| client.end(PATIENCE))?;
        Ok(sample)
    }

    /// Rounds, each longer than the one before, until one takes long enough. Those before it warm everything up.
    fn measure(&self, host: &mut Process, senders: &mut [Process]) -> Outcome<Sample> {
        let wanted = self.round.as_nanos() as f64;
        let (mut count, mut least) = (1, f64::MAX);
        for rounds in 1.. {
            let (time, sample) = round(host, senders, count)?;
            // The first ones may have met with something that has nothing to do with how long a message takes.
            if rounds >= WARM_UP && (time >= wanted / 2.0 || count == MOST) {
                return Ok(sample);
            }
            least = f64::min(least, time / count as f64);
            count = (wanted / least).ceil().clamp(1.0, (MOST as f64).min(count as f64 * GROWTH)) as u64;
        }
        Err("no end of rounds".into())
    }
}

/// Each sender sends so many messages. Gives the nanoseconds of it all, and the sample.
fn round(host: &mut Process, senders: &mut [Process], count: u64) -> Outcome<(f64, Sample)> {
    for sender in senders.iter_mut() {
        sender.tell(&count.to_string())?;
    }
    let mut all = vec![host];
    all.extend(senders.iter_mut());
    let lines = lines_of(&mut all, None, PATIENCE)?;
    let host = HostRound::parse(&lines[0])?;
    let clients: Vec<ClientRound> =
        lines[1..].iter().map(|line| ClientRound::parse(line)).collect::<Outcome<_>>()?;
    let total = count * clients.len() as u64;
    if host.count != total {
        return Err(format!("{} of {total} messages came", host.count).into());
    }
    let began = clients.iter().map(|client| client.began).min().unwrap_or(0);
    // An answer comes after the last request has.
    let quantiles = clients.first().map(|client| client.quantiles).filter(|quantiles| quantiles[0] > 0);
    let ended = if quantiles.is_some() { clients[0].ended } else { host.ended };
    let processor = host.processor + clients.iter().map(|client| client.processor).sum::<u64>();
    let time = ended.saturating_sub(began) as f64;
    let messages = total as f64;
    let sample = Sample { time: time / messages, processor: Some(processor as f64 / messages), quantiles };
    Ok((time.max(1.0), sample))
}

fn expect(word: &str, lines: &[String]) -> Outcome {
    match lines.iter().find(|line| *line != word) {
        None => Ok(()),
        Some(other) => Err(format!("a process says {other:?} instead of {word:?}").into()),
    }
}

/// A directory of one run, on a file system in memory where there is one. It goes with this value.
pub struct Directory {
    pub path: PathBuf,
}

impl Directory {
    pub fn new() -> Outcome<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = base.join(format!("cmp{}_{}_", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let (Some(base), Some(name)) = (self.path.parent(), self.path.file_name()) else { return };
        // Its name is also the beginning of what a system makes beside it.
        let name = name.to_string_lossy();
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&*name) {
                let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
            }
        }
    }
}
