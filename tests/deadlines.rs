//! Deadlines of calls to another process, wherever the call is when its time is up.

mod typed_support;

use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight};
use machipc::{AsyncClient, Client, Context, Error, Host, MachMessage, Reply};
use typed_support::process::{Peer, command, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.deadlines")]
enum Desk {
    /// Keeps the handler busy until it is released.
    Block,
    Note,
    /// Never answered.
    Hold {
        reply: Reply<u64>,
    },
    /// How much time was left when the handler began, in nanoseconds.
    Left {
        reply: Reply<Option<u64>>,
    },
}

/// What is beside the desk, and never busy.
#[machipc::endpoint("com.example.test.deadlines.control")]
enum Control {
    Release {
        reply: Reply<()>,
    },
    /// Messages handled, and requests that were not because nobody waited any more.
    Counts {
        reply: Reply<(u64, u64)>,
    },
    /// Whether `Block` has begun.
    IsBlocked {
        reply: Reply<bool>,
    },
}

/// Whether the desk's handler is to wait, and whether it does.
#[derive(Default)]
struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Gate {
    fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        *state = (true, true);
        while state.0 {
            state = self.changed.wait(state).unwrap();
        }
        state.1 = false;
    }
}

/// So many messages wait in the desk's queue.
const QUEUE: u32 = 2;

fn left(cx: &Context) -> Option<u64> {
    cx.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()).as_nanos() as u64)
}

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    assert_eq!(role, "host");
    let gate = Arc::new(Gate::default());
    let (held, waiting) = (Mutex::new(Vec::new()), gate.clone());
    let desk = Host::<Desk>::builder()
        .name(&arguments[0])
        .queue_limit(QUEUE)
        .bind(move |message: Desk, cx: &Context| match message {
            Desk::Block => waiting.wait(),
            Desk::Note => {}
            Desk::Hold { reply } => held.lock().unwrap().push(reply),
            Desk::Left { reply } => drop(reply.send(left(cx))),
        })
        .unwrap();
    Host::<Control>::builder()
        .name(format!("{}.control", arguments[0]))
        .run(move |message: Control, _: &Context| match message {
            Control::Release { reply } => {
                gate.state.lock().unwrap().0 = false;
                gate.changed.notify_all();
                let _ = reply.send(());
            }
            Control::Counts { reply } => {
                let stats = desk.stats();
                let _ = reply.send((stats.handled, stats.abandoned));
            }
            Control::IsBlocked { reply } => drop(reply.send(gate.state.lock().unwrap().1)),
        })
        .unwrap();
}

struct Other {
    peer: Peer,
    desk: DeskClient,
    control: ControlClient,
}

impl Other {
    fn start(tag: &str) -> Self {
        let name = unique(tag);
        let peer = Peer::start("host", &[&name]);
        let (desk, control) = connect(&name);
        Self { peer, desk, control }
    }

    /// Keeps the desk's handler busy.
    fn block(&self) {
        self.desk.block().unwrap();
        until("the handler is busy", || self.control.is_blocked().unwrap());
    }

    /// Fills the desk's queue, whose handler is busy.
    fn fill(&self) {
        let hasty = self.desk.with_deadline(Duration::ZERO);
        while hasty.note().is_ok() {}
    }

    fn stop(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.peer.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

fn connect(name: &str) -> (DeskClient, ControlClient) {
    let control = Client::connect_to_timeout(&format!("{name}.control"), WATCHDOG).unwrap();
    let desk = Client::connect_to(name).unwrap();
    (DeskClient::from_client(desk), ControlClient::from_client(control))
}

/// Each kind of call of which no answer comes. None is given up before its time, and the output tells how long after it.
fn each_call_ends(other: &Other, place: &str) {
    const ALLOWED: Duration = Duration::from_millis(40);
    let client = other.desk.client().with_deadline(ALLOWED);
    let hold = |reply: Reply<u64>| Desk::Hold { reply };
    let asynchronous = AsyncClient::from(client.clone());
    type Call<'a> = (&'a str, &'a dyn Fn() -> Result<u64, Error>);
    let kinds: [Call<'_>; 4] = [
        ("blocking", &|| client.call(hold)),
        ("started", &|| client.start(hold)?.wait()),
        ("awaited", &|| block_on(asynchronous.call(hold))),
        ("started and awaited", &|| block_on(async { asynchronous.start(hold).await?.await })),
    ];
    for (kind, call) in kinds {
        let start = Instant::now();
        let error = call().unwrap_err();
        let late = start.elapsed().checked_sub(ALLOWED).expect("not before the deadline");
        assert!(matches!(error, Error::DeadlineExceeded { after, .. } if after == ALLOWED), "{error}");
        println!("{place}, {kind}: {late:?} after the deadline");
    }
}

#[test]
fn a_deadline_ends_a_call_in_the_handler() {
    let other = Other::start("handler");
    each_call_ends(&other, "in the handler");
}

#[test]
fn a_deadline_ends_a_call_in_the_queue() {
    let other = Other::start("queue");
    other.block();
    // Only as many as there is room for.
    for _ in 0..2 {
        each_call_ends(&other, "in the queue, then without room");
    }
}

#[test]
fn a_deadline_ends_a_call_that_waits_for_room() {
    let other = Other::start("room");
    other.block();
    other.fill();
    each_call_ends(&other, "waiting for room");
}

#[test]
fn a_deadline_ends_a_call_to_a_process_that_is_stopped() {
    let other = Other::start("stopped");
    assert!(other.desk.left().unwrap().is_some());
    other.stop("-STOP");
    each_call_ends(&other, "on the way to a stopped process");
    other.stop("-CONT");
    assert!(other.desk.left().unwrap().is_some());
}

/// Asks how much time was left, and notes the deadline of the question.
fn ask(asked: &Mutex<Option<Instant>>) -> impl FnOnce(Reply<Option<u64>>) -> Desk {
    |reply| {
        *asked.lock().unwrap() = reply.deadline();
        Desk::Left { reply }
    }
}

#[test]
fn time_in_the_queue_counts() {
    let other = Other::start("counts");
    other.block();
    let asked = Mutex::new(None);
    let call = other.desk.client().start(ask(&asked)).unwrap();
    // As long as it takes to see that the handler is still busy.
    assert!(other.control.is_blocked().unwrap());
    let released = Instant::now();
    other.control.release().unwrap();
    let left = Duration::from_nanos(call.wait().unwrap().unwrap());
    counts(asked, released, left);
}

/// What was left is not more than what there was when the handler was released.
fn counts(asked: Mutex<Option<Instant>>, released: Instant, left: Duration) {
    // Between two processes the clock is right to within this.
    const CLOCK: Duration = Duration::from_micros(10);
    let most = asked.into_inner().unwrap().unwrap() - released;
    println!("{left:?} were left, {most:?} when the handler was released");
    assert!(left <= most + CLOCK && !left.is_zero());
}

#[test]
fn time_without_room_counts() {
    let other = Other::start("waits");
    for kind in ["blocking", "started", "awaited"] {
        other.block();
        other.fill();
        let client = other.desk.client();
        let asked = Mutex::new(None);
        let (released, left) = std::thread::scope(|scope| {
            let call = scope.spawn(|| match kind {
                "blocking" => client.call(ask(&asked)),
                "started" => client.start(ask(&asked))?.wait(),
                _ => block_on(AsyncClient::from(client.clone()).call(ask(&asked))),
            });
            until("the call is made", || asked.lock().unwrap().is_some());
            let released = Instant::now();
            other.control.release().unwrap();
            (released, call.join().unwrap().unwrap().unwrap())
        });
        counts(asked, released, Duration::from_nanos(left));
    }
}

/// Most of a call's time passes while it waits for room; then it has the rest, and not all of it again.
fn room_and_answer_share(kind: &str) {
    const ALLOWED: Duration = Duration::from_secs(2);
    let other = Other::start("halves");
    other.block();
    other.fill();
    let client = other.desk.client().clone();
    let hold = |reply| Desk::Hold { reply };
    let (first, second) = std::thread::scope(|scope| {
        let hurried = client.with_deadline(ALLOWED);
        let first = scope.spawn(move || {
            let result = match kind {
                "blocking" => hurried.call(hold),
                "started" => hurried.start(hold).and_then(|call| call.wait()),
                _ => block_on(AsyncClient::from(hurried).call(hold)),
            };
            (result, Instant::now())
        });
        std::thread::sleep(ALLOWED * 3 / 4);
        other.control.release().unwrap();
        // Ends after the first one's deadline, but before the first one would if all its time began again now.
        let second = client.with_deadline(ALLOWED * 3 / 4).call(hold);
        let ended = Instant::now();
        (first.join().unwrap(), (second, ended))
    });
    for result in [&first.0, &second.0] {
        assert!(matches!(result, Err(Error::DeadlineExceeded { .. })), "{kind}: {result:?}");
    }
    assert!(first.1 < second.1, "{kind}: the call went on after its deadline");
}

#[test]
fn room_and_answer_share_one_deadline() {
    std::thread::scope(|scope| {
        for kind in ["blocking", "started", "awaited"] {
            scope.spawn(move || room_and_answer_share(kind));
        }
    });
}

#[test]
fn what_nobody_waits_for_is_not_handled() {
    let other = Other::start("expired");
    other.block();
    let hurried = other.desk.client().with_deadline(Duration::from_millis(10));
    for _ in 0..QUEUE - 1 {
        assert!(matches!(hurried.call(|reply| Desk::Hold { reply }), Err(Error::DeadlineExceeded { .. })));
    }
    drop(other.desk.client().start(|reply| Desk::Hold { reply }).unwrap());
    other.control.release().unwrap();
    assert!(other.desk.left().unwrap().is_some());
    // What was blocked, and the last.
    assert_eq!(other.control.counts().unwrap(), (2, QUEUE.into()));
}

/// A request whose payload is the deadline and nothing else.
fn ask_with(deadline: u64, desk: &Host<Desk>) -> i32 {
    let port = ReceiveRight::<()>::new().unwrap();
    let right = desk.send_right().unwrap();
    let mut buffer = MessageBuffer::new();
    let mut reply = None;
    // Its id and its fingerprint, as a client would send it.
    Client::from_right(desk.send_right().unwrap())
        .with_deadline(Duration::ZERO)
        .call(|given: Reply<Option<u64>>| {
            let message = Desk::Left { reply: given };
            reply = Some(message.message_id());
            message
        })
        .ok();
    Outgoing::encode(&mut buffer, reply.unwrap(), Desk::fingerprint(), |out| {
        out.pod(&deadline);
        out.reply_wanted()
    })
    .unwrap()
    .copy_send(&right)
    .make_reply(&port)
    .send(Deadline::never())
    .unwrap();
    port.receive(&mut buffer, Deadline::after(WATCHDOG)).unwrap().id()
}

#[test]
fn a_deadline_that_a_peer_invents_is_its_own_affair() {
    const REPLY: i32 = 0x2000_0000;
    const REFUSAL: i32 = 0x2000_0001;
    machipc::registry::set_lookup_enabled(false);
    let desk = Host::<Desk>::builder()
        .unnamed()
        .bind(|message: Desk, cx: &Context| {
            if let Desk::Left { reply } = message {
                drop(reply.send(left(cx)));
            }
        })
        .unwrap();
    // Long ago.
    for deadline in [0, 1, machipc::mach::machine_time() - 1] {
        let abandoned = desk.stats().abandoned;
        assert_eq!(ask_with(deadline, &desk), REFUSAL, "{deadline}");
        assert!(desk.stats().abandoned > abandoned, "{deadline}");
    }
    // In an age of the world.
    for deadline in [u64::MAX, u64::MAX - 1, u64::MAX / 2] {
        assert_eq!(ask_with(deadline, &desk), REPLY, "{deadline}");
    }
}

/// On Linux a process may have another clock, which the machine's shows through.
#[test]
fn a_process_in_another_time_namespace_means_the_same_time() {
    const ALLOWED: Duration = Duration::from_secs(30);
    let unshare = |program: &Command| {
        let mut command = Command::new("unshare");
        command.args(["--time", "--monotonic", "86400", "--fork"]).arg(program.get_program());
        command.args(program.get_args());
        command.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    if !unshare(&Command::new("true")).status().is_ok_and(|status| status.success()) {
        println!("skipped: no other time namespace can be had here");
        return;
    }
    let name = unique("elsewhen");
    // It ends with its standard input.
    let mut elsewhen = unshare(&command("host", &[&name])).spawn().unwrap();
    let (desk, _control) = connect(&name);
    let left = desk.with_deadline(ALLOWED).left().unwrap().map(Duration::from_nanos);
    println!("{left:?} left of {ALLOWED:?}");
    assert!(left.is_some_and(|left| left <= ALLOWED && !left.is_zero()));
    drop(elsewhen.stdin.take());
    elsewhen.wait().unwrap();
}
