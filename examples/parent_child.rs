//! A parent and its children, without a name that anybody could look up.
//!
//! `cargo run --example parent_child` starts itself three times. Each child takes the client of its parent's host, and
//! hands the parent a host of its own, over which it is given work.

use std::error::Error;
use std::process::{Child, Command};
use std::time::Duration;

use machipc::{Client, Context, Host, Reply};

/// What children say to their parent.
#[machipc::endpoint("com.example.parent")]
enum Parent<'a> {
    Say { line: &'a str, reply: Reply<()> },
}

/// What a parent asks of a child.
#[machipc::endpoint("com.example.child")]
enum Work {
    Sum { from: u64, to: u64, reply: Reply<u64> },
    Stop,
}

const CHILDREN: u64 = 3;
const PART: u64 = 1000;
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("child") { child() } else { parent() }
}

fn parent() -> Result<(), Box<dyn Error>> {
    let host =
        Host::<Parent>::builder().unnamed().bind(|message: Parent<'_>, cx: &Context| match message {
            Parent::Say { line, reply } => {
                println!("child {} says: {line}", cx.peer().pid());
                let _ = reply.send(());
            }
        })?;
    let children = (0..CHILDREN).map(|_| start(&host)).collect::<Result<Vec<_>, _>>()?;

    let mut total = 0;
    for (index, (_, work)) in (0..).zip(&children) {
        let sum = work.sum(index * PART + 1, (index + 1) * PART)?;
        println!("process {} is told {sum}", std::process::id());
        total += sum;
    }
    for (mut child, work) in children {
        work.stop()?;
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("child {} ended with {status}", child.id()).into());
        }
    }
    let expected = CHILDREN * PART * (CHILDREN * PART + 1) / 2;
    if total != expected || host.stats().handled != CHILDREN {
        return Err(format!("the sum is {total}, and should be {expected}").into());
    }
    println!("the sum of 1 to {} is {total}", CHILDREN * PART);
    Ok(())
}

/// Starts a child that can talk to `host`, and returns how to talk to the child.
fn start(host: &Host<Parent<'static>>) -> Result<(Child, WorkClient), Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("child");
    host.hand_to(&mut command)?;
    let awaited = Client::<Work>::from_child(&mut command)?;
    let child = command.spawn()?;
    // With the command goes the parent's own hold on what the child inherits: if the child dies, the wait ends.
    drop(command);
    Ok((child, WorkClient::from_client(awaited.wait(PATIENCE)?)))
}

fn child() -> Result<(), Box<dyn Error>> {
    // First of all, before there are threads or programs that could inherit the way to the parent.
    let parent = ParentClient::from_parent()?;
    let host = Host::<Work>::builder().unnamed().bind(move |message: Work, cx: &Context| match message {
        Work::Sum { from, to, reply } => {
            let said = parent.say(&format!("I add {from} to {to}"));
            if said.is_ok() {
                let _ = reply.send((from..=to).sum());
            }
        }
        Work::Stop => cx.stop(),
    })?;
    host.hand_to_parent()?;
    host.wait();
    Ok(())
}
