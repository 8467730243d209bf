//! Compares machipc with other ways between processes: the same work, checked in the same way, in the same run.
//!
//! This process directs. For each run it starts itself again as one host and as many clients as the work wants, lets them send
//! until the time is right, and takes what they measured. The systems take turns, so that what the machine does meanwhile hits
//! all alike; what is printed is the median of the turns.

#[cfg(not(target_os = "linux"))]
compile_error!("the comparison is for Linux, where its peers and its raw limits are");

mod chart;
mod codec;
mod ends;
mod inside;
mod machine;
mod message;
#[path = "../../support/notes.rs"]
mod notes;
mod process;
mod report;
mod run;
mod solo;
mod system;
mod systems;
mod work;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use report::Report;
use run::Run;
use system::Job;
use work::Work;

/// What can fail fails with words.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: machipc-compare [--quick] [--turns N] [--millis N] [--work WORDS] [--system WORDS] [--report FILE] [--list]

  --quick          few and short turns, to see that everything works: trust no figure
  --turns N        how often each system does each work (default 5)
  --millis N       how long a measured round takes, about (default 120)
  --work WORDS     only works whose names have all these words, or that are so named: --work 'one way, 64 B, different CPUs'
  --system WORDS   only systems whose names have one of these words; machipc is the measure and always there
  --report FILE    where the report is written (default: target/compare.html beside this program's manifest)
  --list           the names of works and systems";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        // The processes that this program starts.
        ["host" | "client" | "solo", ..] => {
            let outcome = take_part(&words);
            if let Err(error) = &outcome {
                ends::tell(&format!("{} {error}", process::FAILED))?;
            }
            std::process::exit(i32::from(outcome.is_err()))
        }
        _ => match Options::read(&words) {
            Ok(options) => direct(&options),
            Err(error) => {
                eprintln!("{error}\n\n{USAGE}");
                std::process::exit(2)
            }
        },
    }
}

/// What the command line says.
struct Options {
    turns: usize,
    round: Duration,
    work: String,
    system: Vec<String>,
    report: PathBuf,
    quick: bool,
    list: bool,
}

impl Options {
    fn read(words: &[&str]) -> Outcome<Self> {
        let mut options = Self {
            turns: 5,
            round: Duration::from_millis(120),
            work: String::new(),
            system: Vec::new(),
            report: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/compare.html")),
            quick: false,
            list: false,
        };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || words.next().copied().ok_or(format!("{word} lacks its value"));
            let split = |text: &str| text.split_whitespace().map(str::to_owned).collect();
            match word {
                "--quick" => {
                    options.quick = true;
                    (options.turns, options.round) = (1, Duration::from_millis(20));
                }
                "--turns" => options.turns = value()?.parse::<usize>()?.max(1),
                "--millis" => options.round = Duration::from_millis(value()?.parse::<u64>()?.max(1)),
                "--work" => options.work = value()?.to_owned(),
                "--system" => options.system = split(value()?),
                "--report" => options.report = value()?.into(),
                "--list" => options.list = true,
                other => return Err(format!("there is no {other:?}").into()),
            }
        }
        Ok(options)
    }

    /// Those of `names` that are wanted. A whole name means itself alone, though others have all its words.
    fn wanted(&self, mut names: Vec<String>) -> Vec<String> {
        // Whole words: "64 B" is in neither "64 KiB" nor "4 B".
        let words = |text: &str| -> Vec<String> {
            text.replace(',', "").split_whitespace().map(str::to_owned).collect()
        };
        let wanted = words(&self.work);
        if names.iter().any(|name| words(name) == wanted) {
            names.retain(|name| words(name) == wanted);
        } else {
            names.retain(|name| wanted.iter().all(|word| words(name).contains(word)));
        }
        names
    }

    fn wants_system(&self, name: &str) -> bool {
        self.system.is_empty()
            || name.starts_with("machipc")
            || self.system.iter().any(|word| name.contains(word))
    }
}

/// One of the processes of a run.
fn take_part(words: &[&str]) -> Outcome {
    // Whoever directs may be killed.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    machine::allow_many_files()?;
    match *words {
        ["solo", group, way, wanted] => solo::take_part(group.parse()?, way.parse()?, wanted.parse()?),
        [role, system, work, directory, client, cpu] => {
            if let Ok(cpu) = cpu.parse() {
                machine::stay_on(cpu)?;
            }
            let job = Job { work: work.parse()?, directory: directory.into(), client: client.parse()? };
            let systems = system::all();
            let system = systems.get(system.parse::<usize>()?).ok_or("there is no such system")?;
            if role == "host" { job.host(&**system) } else { job.client(&**system) }
        }
        _ => Err("not started as this program starts itself".into()),
    }
}

fn direct(options: &Options) -> Outcome {
    let systems = system::all();
    let (mut works, mut groups) = (Work::all(), (0..solo::GROUPS.len()).collect::<Vec<_>>());
    let titles = solo::GROUPS.iter().map(|group| group.title.to_owned());
    let wanted = options.wanted(works.iter().map(Work::to_string).chain(titles).collect());
    works.retain(|work| wanted.contains(&work.to_string()));
    groups.retain(|&group| wanted.iter().any(|name| name == solo::GROUPS[group].title));
    if options.list {
        works.iter().for_each(|work| println!("{work}"));
        groups.iter().for_each(|&group| println!("{}", solo::GROUPS[group].title));
        systems.iter().for_each(|system| println!("{} ({})", system.name(), system.waiting().words()));
        return Ok(());
    }
    machine::allow_many_files()?;
    let start = Instant::now();
    let run = Run::new(options.round)?;
    let mut report = Report::new(options.turns, options.round, options.quick);
    report.print_head();
    for work in &works {
        let mut table = report::Table::new(work, &systems, |name| options.wants_system(name));
        for turn in 0..options.turns {
            table.take_turn(turn, |system| run.once(system, work));
        }
        report.add(table);
    }
    for group in groups {
        report.add(solo::table(group, options.turns, options.round, |name| options.wants_system(name)));
    }
    report.write(&options.report, start.elapsed())
}
