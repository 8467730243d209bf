//! Examples that are whole programs work between two processes.

mod typed_support;

use std::process::{Child, Command, Stdio};

use typed_support::unique;

#[path = "../examples/frames.rs"]
#[allow(dead_code, reason = "the program starts its host differently")]
mod frames;
#[path = "../examples/kv.rs"]
#[allow(dead_code, reason = "the program starts its host differently")]
mod kv;
#[path = "../examples/trait_kv.rs"]
#[allow(dead_code, missing_docs, reason = "the program starts its host differently")]
mod trait_kv;
#[path = "../examples/watch.rs"]
#[allow(dead_code, reason = "the program starts its host differently")]
mod watch;

/// Tells a process that this test started which example's host it is, and under which name.
const ROLE: &str = "MACHIPC_TEST_EXAMPLE";

/// Not a test of its own: the hosts of those below enter here.
#[test]
fn host() {
    let Ok(role) = std::env::var(ROLE) else { return };
    match role.split_once(' ').expect("an example and a name") {
        ("frames", name) => frames::serve(name).expect("the example"),
        ("kv", name) => kv::serve(name).expect("the example"),
        ("trait_kv", name) => trait_kv::serve(name).expect("the example"),
        ("watch", name) => watch::serve(name).expect("the example"),
        (other, _) => panic!("no example {other}"),
    }
}

/// A process that ends with this value.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(example: &str, name: &str) -> Started {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "host", "--nocapture"]).env(ROLE, format!("{example} {name}"));
    Started(command.stdout(Stdio::null()).spawn().expect("a second process"))
}

#[test]
fn frames() {
    let name = unique("frames");
    frames::ask(&name, &mut start("frames", &name).0, 3).expect("the example");
}

#[test]
fn kv() {
    let name = unique("kv");
    kv::ask(&name, &mut start("kv", &name).0).expect("the example");
}

#[test]
fn trait_kv() {
    let name = unique("trait-kv");
    trait_kv::ask(&name, &mut start("trait_kv", &name).0).expect("the example");
}

#[test]
fn watch() {
    let name = unique("watch");
    watch::watch(&name, &mut start("watch", &name).0).expect("the example");
}
