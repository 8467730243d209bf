//! The rules of Mach, each a test: the suite of `examples/conformance`, compiled into the test harness.

#[path = "../examples/conformance/suite.rs"]
mod suite;

macro_rules! tests {
    ($($group:ident { $($number:literal $mark:ident $name:ident,)* })*) => {$($(
        #[test]
        fn $name() {
            check($number);
        }
    )*)*};
}

suite::table::with_rules!(tests);

/// Runs one rule in a process of its own.
fn check(number: u32) {
    let rule = suite::RULES.iter().find(|rule| rule.number == number).expect("the table holds every rule");
    match suite::run(rule, suite::WATCHDOG) {
        suite::Verdict::Passed => {}
        suite::Verdict::Failed(text) => panic!("{} FAIL {text}", rule.label()),
        suite::Verdict::Skipped(reason) => println!("{} skipped: {reason}", rule.label()),
    }
}

/// Not a test of its own: the process that a rule starts enters here, told by its environment. Otherwise it checks
/// that the table holds every rule once, in order.
#[test]
fn peer_role() {
    if let Ok(role) = std::env::var("MACHIPC_CONFORMANCE_ROLE") {
        let words: Vec<String> = role.split(' ').map(str::to_owned).collect();
        std::process::exit(suite::play(&words).into());
    }
    let numbers: Vec<u32> = suite::RULES.iter().map(|rule| rule.number).collect();
    assert_eq!(numbers, (1..=199).collect::<Vec<_>>());
    for rule in suite::RULES {
        let place = format!("{}::{} [{}]", rule.group, rule.name, rule.mark.text());
        assert!(rule.name.starts_with(&format!("r_{:03}_", rule.number)), "{} is {place}", rule.label());
    }
    let core = suite::RULES.iter().filter(|rule| rule.mark == suite::Mark::Core).count();
    assert_eq!(core, 160);
}
