//! The README keeps its promises: its example is a program that works between two processes, its commands are those that are run, and
//! its links lead somewhere.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

#[allow(dead_code, reason = "a test has a main function of its own")]
#[path = "../examples/notes.rs"]
mod program;

const README: &str = include_str!("../README.md");
const EXAMPLE: &str = include_str!("../examples/notes.rs");
const CI: &str = include_str!("../.ci/run");

/// Tells a process that this test started which part of the example it plays.
const ROLE: &str = "MACHIPC_README_ROLE";

#[test]
fn the_example_is_in_the_readme() {
    let (_head, program) = EXAMPLE.split_once("\n\n").expect("a blank line behind the head");
    let block = format!("```rust\n{program}```\n");
    assert!(README.contains(&block), "README.md does not hold this:\n{block}");
}

#[test]
fn the_test_command_is_what_the_checks_run() {
    for command in ["cargo run --release --example quickstart", "cargo test --workspace"] {
        assert!(
            README.lines().any(|line| line.split(" #").next().unwrap_or(line).trim() == command),
            "{command}"
        );
        assert!(CI.contains(command), "{command}");
    }
}

#[test]
fn the_example_works_between_two_processes() {
    // Names of its own, so that nothing else on this machine is disturbed. Apple's name space is the session's.
    let names = std::env::temp_dir().join(format!("machipc-readme-{}", std::process::id()));
    let _host = Started(play("serve", &names).stdout(Stdio::null()).spawn().expect("a process to serve"));
    let client = play("client", &names).output().expect("a process to call");
    let _ = std::fs::remove_dir_all(&names);
    let Output { status, stdout, stderr } = client;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && stdout.contains("Some(\"two bottles\")\n"), "{status}\n{stdout}\n{stderr}");
}

/// Not a test of its own: the processes of the one above enter here.
#[test]
fn role() {
    if let Some(role) = std::env::var_os(ROLE) {
        if role == "serve" { program::serve() } else { program::call() }.expect("the example");
    }
}

#[test]
fn links_lead_to_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join("README.md").is_file() {
        println!("skipped: the source tree is not on this machine");
        return;
    }
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
            assert!(root.join(target).exists(), "{page} links to {target}, which is not there");
        }
    }
}

/// This program as a part of the example.
fn play(role: &str, names: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "role", "--nocapture"]).env(ROLE, role).env("MACHIPC_BOOTSTRAP_DIR", names);
    command
}

/// A process that ends with this value.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
