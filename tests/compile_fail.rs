//! What the macros refuse, and in which words. `TRYBUILD=overwrite cargo test --test compile_fail` writes the words anew.

use std::process::Command;

/// The compiler's own words move from version to version, and some stand around ours.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_are_reported_where_they_are() {
    let version = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("--version")
        .output()
        .expect("the compiler runs");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    if version.starts_with(COMPILER) {
        for topic in [
            "types",
            "lifetimes",
            "pod",
            "since",
            "ids",
            "words",
            "ool",
            "reply",
            "endpoint",
            "client",
            "service",
            "stream",
            "interceptor",
            "several",
        ] {
            cases.compile_fail(format!("tests/ui/{topic}/*.rs"));
        }
    } else {
        println!("skipped: the expected words are those of {COMPILER}*, and this is {version}");
    }
}
