//! Second processes: this program again, steered line by line.

use super::{
    COPY_SEND, DEAD, MAKE_SEND, Message, Name, Outcome, Stop, darwin, kind, look_up, port, receive, release,
};
use machipc::mach::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long an answer of another process may take.
const LIMIT: Duration = Duration::from_secs(20);

/// The command that runs this program again in a hidden role. The test harness allows no arguments of ours, so there
/// the role travels in the environment and a test of its own takes it up.
pub fn again(role: &[&str]) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    if cfg!(test) {
        command.args(["peer_role", "--exact", "--nocapture", "--test-threads=1"]);
        command.env("MACHIPC_CONFORMANCE_ROLE", role.join(" "));
    } else {
        command.arg("--peer").args(role);
    }
    Ok(command)
}

/// Says a line to the process that started this one. The mark sets it apart from the test harness's own output, which
/// may have begun a line.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "\n@ {line}\n");
    let _ = out.flush();
}

/// A service name that no other run uses.
pub fn service_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("machipc.conformance.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Another task, which does what it is told. It ends when this end is dropped.
pub struct Peer {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    /// A send right to the port at which it receives.
    pub mailbox: Name,
    /// The peer's own name of that port.
    pub mailbox_there: Name,
    /// The port at which this task hears from it.
    pub inbox: Name,
    /// The peer's send right to that port.
    pub inbox_there: Name,
}

impl Peer {
    /// Starts a task and exchanges send rights with it.
    pub fn start() -> Outcome<Peer> {
        let service = service_name();
        Self::spawn(&service, again(&["task", &service]))
    }

    /// The same, by the command that `by` makes of this program's.
    #[cfg(target_os = "linux")]
    pub fn start_by(by: impl FnOnce(&Command) -> std::io::Result<Command>) -> Outcome<Peer> {
        let service = service_name();
        Self::spawn(&service, again(&["task", &service]).and_then(|command| by(&command)))
    }

    fn spawn(service: &str, command: std::io::Result<Command>) -> Outcome<Peer> {
        let started =
            command.and_then(|mut command| command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn());
        let mut child = match started {
            Ok(child) => child,
            Err(error) => fail!("expected a second process, got {error}"),
        };
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            fail!("expected pipes to a second process, got none");
        };
        let (say, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(answer) = line.strip_prefix("@ ") {
                    let _ = say.send(answer.to_owned());
                }
            }
        });
        let mut peer =
            Peer { child, orders, answers, mailbox: 0, mailbox_there: 0, inbox: port()?, inbox_there: 0 };
        peer.mailbox_there = peer.hear("checking in")?[0] as Name;
        let (code, mailbox) = look_up(service);
        expect_code!(code, BOOTSTRAP_SUCCESS);
        peer.mailbox = mailbox;
        peer.inbox_there = peer.give(peer.inbox, MAKE_SEND)?;
        Ok(peer)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order and returns the numbers of the answer.
    pub fn ask(&mut self, order: &str) -> Outcome<Vec<i64>> {
        self.tell(order)?;
        self.hear(order)
    }

    /// An order whose answer is a code and a name.
    pub fn ask_name(&mut self, order: &str) -> Outcome<Name> {
        let answer = self.ask(order)?;
        expect!(answer[0] == 0, "expected another task's {order:?} to succeed, got {}", answer[0]);
        Ok(answer.get(1).copied().unwrap_or_default() as Name)
    }

    /// An order whose answer is a code.
    pub fn ask_code(&mut self, order: &str) -> Outcome<kern_return_t> {
        Ok(self.ask(order)?[0] as kern_return_t)
    }

    /// Gives an order without waiting.
    pub fn tell(&mut self, order: &str) -> Outcome {
        match writeln!(self.orders, "{order}").and_then(|()| self.orders.flush()) {
            Ok(()) => Ok(()),
            Err(error) => fail!("expected another task to take the order {order:?}, got {error}"),
        }
    }

    /// The answer to the oldest order.
    pub fn hear(&mut self, order: &str) -> Outcome<Vec<i64>> {
        let Ok(answer) = self.answers.recv_timeout(LIMIT) else {
            fail!("expected an answer of another task to {order:?}, got none");
        };
        let numbers: Vec<i64> = answer.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        expect!(!numbers.is_empty(), "expected numbers in answer to {order:?}, got {answer:?}");
        Ok(numbers)
    }

    /// Moves, copies or makes a right over to the peer. Returns the peer's name of it.
    pub fn give(&mut self, name: Name, disposition: u32) -> Outcome<Name> {
        self.post(name, disposition)?;
        self.collect()
    }

    /// The first half of [`give`](Self::give): the right waits in the peer's queue.
    pub fn post(&mut self, name: Name, disposition: u32) -> Outcome {
        let parcel = Message::to(self.mailbox, MACH_MSG_TYPE_COPY_SEND).right(name, disposition);
        expect_code!(parcel.send(), MACH_MSG_SUCCESS);
        Ok(())
    }

    /// The second half: the peer receives the right.
    pub fn collect(&mut self) -> Outcome<Name> {
        let order = format!("receive {} 10000", self.mailbox_there);
        let answer = self.ask(&order)?;
        expect!(answer[0] == 0 && answer.len() > 7, "expected a parcel at another task, got {answer:?}");
        Ok(answer[7] as Name)
    }

    /// Has the peer send a right to this task. Returns this task's name of it.
    pub fn fetch(&mut self, name_there: Name, disposition: u32) -> Outcome<Name> {
        let order =
            format!("send {} {} 0 0 1 10000 right {name_there} {disposition}", self.inbox_there, COPY_SEND);
        expect_code!(self.ask_code(&order)?, MACH_MSG_SUCCESS);
        let parcel = receive(self.inbox)?;
        Ok(parcel.only()?.name)
    }

    /// Has the peer send a message, with its id as data, by a send right of its own.
    pub fn send_id(&mut self, there: Name, id: i32) -> Outcome {
        let order = format!("send {there} {COPY_SEND} 0 0 {id} 10000 word {id}");
        expect_code!(self.ask_code(&order)?, MACH_MSG_SUCCESS);
        Ok(())
    }

    /// Has the peer receive, and compares the id. Returns the peer's name in the remote field.
    pub fn receive_id(&mut self, there: Name, id: i32) -> Outcome<Name> {
        let got = self.ask(&format!("receive {there} 10000"))?;
        let code_and_id = (got[0], got.get(4).copied());
        expect_eq!("code and id at another task", code_and_id, (0, Some(i64::from(id))));
        Ok(got[1] as Name)
    }

    /// Has the peer send a right of its own to another peer, which gets it from there and not from this task. Returns
    /// the other peer's name of it.
    pub fn forward(&mut self, name_there: Name, disposition: u32, to: &mut Peer) -> Outcome<Name> {
        self.forward_only(name_there, disposition, to)?;
        to.collect()
    }

    /// The first half of [`forward`](Self::forward): the right waits in the other peer's queue.
    pub fn forward_only(&mut self, name_there: Name, disposition: u32, to: &mut Peer) -> Outcome {
        let door = self.give(to.mailbox, COPY_SEND)?;
        let order = format!("send {door} {COPY_SEND} 0 0 1 10000 right {name_there} {disposition}");
        expect_code!(self.ask_code(&order)?, MACH_MSG_SUCCESS);
        expect_code!(self.ask_code(&format!("deallocate {door}"))?, KERN_SUCCESS);
        Ok(())
    }

    /// A new port at the peer: the peer's name of it, and a send right here.
    pub fn new_port(&mut self) -> Outcome<(Name, Name)> {
        let there = self.ask_name("allocate 1")?;
        let here = self.fetch(there, MAKE_SEND)?;
        Ok((there, here))
    }

    /// `kill -9`, and waits for the process to be gone.
    pub fn kill(&mut self) -> Outcome {
        let _ = self.child.kill();
        let _ = self.child.wait();
        Ok(())
    }

    /// Lets it return from its main function, and waits for that.
    pub fn exit(&mut self) -> Outcome<ExitStatus> {
        self.tell("exit")?;
        match self.child.wait() {
            Ok(status) => Ok(status),
            Err(error) => fail!("expected another task to exit, got {error}"),
        }
    }

    /// Ends the process, if it lives, and gives back the names that go with it.
    pub fn close(mut self) -> Outcome {
        if matches!(self.child.try_wait(), Ok(None)) {
            // So that its service name goes at once, wherever the system keeps it.
            let _ = self.ask(&format!("destroy {}", self.mailbox_there));
        }
        self.kill()?;
        release(&[self.inbox])?;
        if self.mailbox != DEAD { release(&[self.mailbox]) } else { Ok(()) }
    }

    /// Waits until a send or send-once right to a port of this peer is a dead name.
    pub fn await_death(name: Name) -> Outcome {
        let start = std::time::Instant::now();
        while kind(name)? & MACH_PORT_TYPE_DEAD_NAME == 0 {
            expect!(
                start.elapsed() < LIMIT,
                "expected {name:#x} to become a dead name, got type {:#x}",
                kind(name)?
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a case in which Darwin kills the process. There a child of its own runs it, and must be killed or succeed;
/// elsewhere it runs here and must succeed.
pub fn case(name: &str, body: fn() -> Outcome) -> Outcome {
    if !darwin() {
        return body();
    }
    let output = again(&["case", name]).and_then(|mut command| command.stdin(Stdio::null()).output());
    match output {
        // No exit code: a signal ended it, which is Darwin's answer.
        Ok(output) if output.status.code().is_none() => Ok(()),
        Ok(output) => {
            match String::from_utf8_lossy(&output.stdout).lines().find_map(|l| l.strip_prefix("@ ")) {
                Some("ok") => Ok(()),
                Some(text) => Err(Stop::Fail(text.trim_start_matches("fail ").to_owned())),
                None => fail!("expected a verdict of case {name}, got {}", output.status),
            }
        }
        Err(error) => fail!("expected a child for case {name}, got {error}"),
    }
}
