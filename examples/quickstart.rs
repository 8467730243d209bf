//! What machipc does, in one program: it starts itself a second time as the host process and talks to it.
//!
//! `cargo run --release --example quickstart`
//!
//! Each line tells what happened, with numbers from messages that were checked. It exits with 1 if anything is not as it should
//! be.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime};

use machipc::{Client, Context, Error, Host, MachMessage, OolBuffer, Reply, SendRight};

/// What the host can be asked to do.
#[machipc::endpoint("com.example.quickstart")]
enum Desk<'a> {
    /// One way: a note with its number. The host checks both.
    Note(Note<'a>),
    /// How many notes came, and what the host thinks of them.
    Tally { reply: Reply<Tally> },
    /// A request with its answer.
    Reverse { text: &'a str, reply: Reply<String> },
    /// A picture that was painted in the memory in which it travels.
    Hang { picture: OolBuffer, reply: Reply<Verdict> },
    /// Sends `count` events through a right that the caller made for this.
    Watch { events: SendRight<Event>, count: u64 },
    /// Is never answered: the host keeps the reply.
    Ponder { begun: SendRight<Event>, reply: Reply<()> },
}

#[derive(MachMessage)]
struct Note<'a> {
    number: u64,
    text: &'a str,
}

#[derive(MachMessage, Default, Clone, Debug, PartialEq)]
struct Tally {
    pid: u32,
    notes: u64,
    wrong: u64,
    /// From the first note to the last.
    took: Duration,
}

#[derive(MachMessage, Debug, PartialEq)]
struct Verdict {
    pid: u32,
    bytes: u64,
    wrong: u64,
}

#[derive(MachMessage, Debug)]
struct Event {
    number: u64,
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const NOTES: u64 = 200_000;
const CALLS: u32 = 10_000;
const PICTURE: usize = 64 << 20;
const EVENTS: u64 = 10_000;
const DIRECT: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--host"), Some(name)) => run_host(name),
        (None, None) => run_client(),
        _ => Err("run it without arguments".into()),
    }
}

/// The host process.
fn run_host(name: String) -> Outcome {
    // The end of standard input is the end of whoever started us.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let host = bind(name)?;
    host.wait();
    Ok(())
}

fn bind(name: String) -> Result<Host<Desk<'static>>, Error> {
    let notes = Mutex::new((Tally { pid: std::process::id(), ..Tally::default() }, Instant::now()));
    let pondered = Mutex::new(Vec::new());
    Host::<Desk>::builder().name(name).bind(move |message: Desk<'_>, _: &Context| match message {
        Desk::Note(note) => {
            let (tally, first) = &mut *notes.lock().unwrap();
            if tally.notes == 0 {
                *first = Instant::now();
            }
            tally.wrong += u64::from(note.number != tally.notes || note.text != text_of(note.number));
            tally.notes += 1;
            if tally.notes == NOTES {
                tally.took = first.elapsed();
            }
        }
        Desk::Tally { reply } => answer(reply, notes.lock().unwrap().0.clone()),
        Desk::Reverse { text, reply } => answer(reply, text.chars().rev().collect()),
        Desk::Hang { mut picture, reply } => {
            let pixels = picture.as_mut_slice();
            let wrong =
                pixels.chunks_exact(8).enumerate().filter(|(at, pixel)| *pixel != colour(*at)).count();
            answer(
                reply,
                Verdict { pid: std::process::id(), bytes: pixels.len() as u64, wrong: wrong as u64 },
            );
        }
        Desk::Watch { events, count } => {
            let events = Client::from_right(events);
            for number in 0..count {
                if let Err(error) = events.send(Event { number }) {
                    eprintln!("host: event {number} was not sent: {error}");
                    break;
                }
            }
        }
        Desk::Ponder { begun, reply } => {
            pondered.lock().unwrap().push(reply);
            if let Err(error) = Client::from_right(begun).send(Event { number: 0 }) {
                eprintln!("host: the start was not told: {error}");
            }
        }
    })
}

/// Answers a caller. That it has gone is its own affair.
fn answer<T: machipc::ReplyValue>(reply: Reply<T>, value: T) {
    if let Err(error) = reply.send_on_return(value) {
        eprintln!("host: {error}");
    }
}

/// The client process.
fn run_client() -> Outcome {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos();
    let name = format!("com.example.quickstart.{}.{nanos}", std::process::id());
    let mut host = HostProcess::start(&name)?;
    let desk = DeskClient::from_client(Client::connect_to_timeout(&name, PATIENCE)?);
    let (own, its) = (std::process::id(), host.pid());
    println!("process {own} started the host, process {its}, and is connected to {name}");

    one_way(&desk, its)?;
    calls(&desk, its)?;
    out_of_line(&desk, its)?;
    callback(&desk, its)?;
    death(&desk, &mut host)?;
    short_cut()?;
    println!("all is well");
    Ok(())
}

/// 1. One-way messages, counted and checked by the host.
fn one_way(desk: &DeskClient, its: u32) -> Outcome {
    let texts: Vec<&str> = (0..NOTES).map(text_of).collect();
    for (number, text) in (0..).zip(texts) {
        desk.note(Note { number, text })?;
    }
    let tally = desk.tally()?;
    check("the tally", &tally, &Tally { pid: its, notes: NOTES, wrong: 0, took: tally.took })?;
    println!(
        "1. one way: {NOTES} notes sent, process {its} counted {} in order with the right text, {} a second",
        tally.notes,
        per_second(NOTES, tally.took)
    );
    Ok(())
}

/// 2. Requests with replies.
fn calls(desk: &DeskClient, its: u32) -> Outcome {
    let start = Instant::now();
    for number in 0..CALLS {
        let text = format!("call {number}");
        let reversed: String = text.chars().rev().collect();
        check("a reply", &desk.reverse(&text)?, &reversed)?;
    }
    let each = start.elapsed() / CALLS;
    println!("2. requests: {CALLS} calls answered by process {its}, each answer checked, {each:.1?} a call");
    Ok(())
}

/// 3. Memory that is built in place and moves to the host without being copied.
fn out_of_line(desk: &DeskClient, its: u32) -> Outcome {
    let mut picture = OolBuffer::new(PICTURE)?;
    for (at, pixel) in picture.as_mut_slice().chunks_exact_mut(8).enumerate() {
        pixel.copy_from_slice(&colour(at));
    }
    let start = Instant::now();
    let verdict = desk.hang(picture)?;
    let took = start.elapsed();
    check("the verdict", &verdict, &Verdict { pid: its, bytes: PICTURE as u64, wrong: 0 })?;
    println!(
        "3. out of line: {} MiB painted in place, process {its} looked at each byte and found {} wrong, {took:.1?} in all",
        PICTURE >> 20,
        verdict.wrong
    );
    Ok(())
}

/// 4. A port of this process, to which the host sends because a message carried the right to.
fn callback(desk: &DeskClient, its: u32) -> Outcome {
    let (listener, events) = listen()?;
    let start = Instant::now();
    desk.watch(listener.send_right()?, EVENTS)?;
    for number in 0..EVENTS {
        let (event, sender) = events.recv_timeout(PATIENCE)?;
        check("an event", &(event.number, sender), &(number, its))?;
    }
    println!(
        "4. callback: process {its} sent {EVENTS} events through a right from a message, all came in order to process {}, {} a second",
        std::process::id(),
        per_second(EVENTS, start.elapsed())
    );
    Ok(())
}

/// 5. The host is killed while it has a call in hand.
fn death(desk: &DeskClient, host: &mut HostProcess) -> Outcome {
    let (listener, events) = listen()?;
    let begun = listener.send_right()?;
    let caller = desk.clone();
    let call = std::thread::spawn(move || {
        // No deadline: nothing but the host's death ends this call.
        let error = caller.with_deadline(None).ponder(begun).err();
        (error, Instant::now())
    });
    events.recv_timeout(PATIENCE)?;
    let pid = host.pid();
    let killed = Instant::now();
    host.kill()?;
    let (error, noticed) = call.join().map_err(|_| "the calling thread panicked")?;
    match error {
        Some(error @ Error::HostDied { .. }) => println!(
            "5. death: process {pid} was killed with a call in hand, which failed {:.1?} later: {error}",
            noticed - killed
        ),
        Some(error) => return Err(format!("the call failed for another reason: {error}").into()),
        None => return Err("a call was answered by a host that never answers it".into()),
    }
    match desk.tally() {
        Err(Error::HostDied { .. }) => Ok(()),
        other => Err(format!("a call to a dead host gave {other:?}").into()),
    }
}

/// 6. A host in this process is called directly, with the value itself.
fn short_cut() -> Outcome {
    let host = bind(format!("com.example.quickstart.own.{}", std::process::id()))?;
    let desk = DeskClient::connect_to(host.name())?;
    let start = Instant::now();
    for number in 0..DIRECT {
        desk.note(Note { number, text: text_of(number) })?;
    }
    let each = start.elapsed().as_nanos() / u128::from(DIRECT);
    let Tally { notes, wrong, .. } = desk.tally()?;
    check("the notes counted and the wrong ones", &(notes, wrong), &(DIRECT, 0))?;
    check("the messages through the port", &host.stats().handled, &0)?;
    println!(
        "6. short cut: {notes} notes to a host in process {} itself, {each} ns each, none through its port",
        std::process::id()
    );
    Ok(())
}

/// An event and the process that sent it.
type Told = (Event, u32);

/// A host without a name, for events.
fn listen() -> Outcome<(Host<Event>, Receiver<Told>)> {
    let (sink, events) = mpsc::channel();
    let listener = Host::<Event>::builder().unnamed().bind(move |event: Event, cx: &Context| {
        let _ = sink.send((event, cx.peer().pid()));
    })?;
    Ok((listener, events))
}

/// This program as the host process. It ends with this value.
struct HostProcess(Child);

impl HostProcess {
    fn start(name: &str) -> Outcome<Self> {
        let child =
            Command::new(std::env::current_exe()?).args(["--host", name]).stdin(Stdio::piped()).spawn()?;
        Ok(Self(child))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn kill(&mut self) -> Outcome {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The text that belongs to a note.
fn text_of(number: u64) -> &'static str {
    const TEXTS: [&str; 4] =
        ["milk", "bread and butter", "", "something considerably longer than the others"];
    TEXTS[(number % 4) as usize]
}

/// The eight bytes that belong to a place in the picture.
fn colour(at: usize) -> [u8; 8] {
    (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
}

fn per_second(count: u64, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64()) as u64
}

fn check<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}").into()) }
}
