//! Checks a Mach implementation against the rules of Mach, one line a rule.
//!
//! The program needs nothing beside itself: it calls the seam (`machipc::mach`) and the standard library, and where a
//! rule wants a second process it starts itself again. On a Mac the kernel answers, on Linux the embedded Mach.
//!
//! ```text
//! conformance [--list] [--filter SUBSTRING|R-NNN] [--watchdog SECONDS]
//! ```

#[path = "suite.rs"]
mod suite;

use std::process::ExitCode;
use std::time::Duration;
use suite::{Mark, RULES, Rule, Verdict};

const USAGE: &str = "usage: conformance [--list] [--filter SUBSTRING|R-NNN]... [--watchdog SECONDS]
  --list      print number, mark and name of each rule, run none
  --filter    only rules whose number is R-NNN, or whose group or name contains SUBSTRING
  --watchdog  seconds after which a rule counts as hung (60)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--peer", role)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return ExitCode::from(suite::play(role));
    }
    match Options::parse(&arguments) {
        Ok(options) if options.help => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(options) => run(&options),
        Err(text) => {
            eprintln!("conformance: {text}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[derive(Default)]
struct Options {
    help: bool,
    list: bool,
    filters: Vec<String>,
    watchdog: Option<Duration>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => options.help = true,
                "--list" => options.list = true,
                "--filter" => options.filters.push(words.next().ok_or("--filter needs a value")?.clone()),
                "--watchdog" => {
                    let seconds = words.next().and_then(|word| word.parse().ok()).filter(|&n| n > 0);
                    options.watchdog =
                        Some(Duration::from_secs(seconds.ok_or("--watchdog needs a number of seconds")?));
                }
                other => return Err(format!("unknown argument {other:?}")),
            }
        }
        Ok(options)
    }

    fn takes(&self, rule: &Rule) -> bool {
        self.filters.is_empty()
            || self.filters.iter().any(|filter| {
                rule.label().eq_ignore_ascii_case(filter)
                    || rule.name.contains(filter.as_str())
                    || rule.group.contains(filter.as_str())
            })
    }
}

fn run(options: &Options) -> ExitCode {
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| options.takes(rule)).collect();
    if options.list {
        for rule in &rules {
            println!("{} [{}] {}::{}", rule.label(), rule.mark.text(), rule.group, rule.name);
        }
        return ExitCode::SUCCESS;
    }
    if rules.is_empty() {
        eprintln!("conformance: no rule matches {:?}; --list shows them", options.filters);
        return ExitCode::from(2);
    }
    let (mut passed, mut failed, mut skipped, mut core, mut ext) = (0, 0, 0, 0, 0);
    for rule in rules {
        match suite::run(rule, options.watchdog.unwrap_or(suite::WATCHDOG)) {
            Verdict::Passed => {
                println!("{} ok", rule.label());
                passed += 1;
                match rule.mark {
                    Mark::Core => core += 1,
                    Mark::Ext => ext += 1,
                }
            }
            Verdict::Failed(text) => {
                println!("{} FAIL {text}", rule.label());
                failed += 1;
            }
            Verdict::Skipped(reason) => {
                println!("{} skipped: {reason}", rule.label());
                skipped += 1;
            }
        }
    }
    println!("passed: {core} core, {ext} ext");
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    ExitCode::from(u8::from(failed > 0))
}
