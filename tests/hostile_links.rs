//! A host among peers that break the link protocol on purpose. Links are the embedded kernel's, so this is for Linux only.
//!
//! The host and an honest client run in processes of their own: a panic or an abort there is seen. `MACHIPC_HOSTILE_STATES` sets how many
//! mutated states there are, `MACHIPC_HOSTILE_SEED` which, and `MACHIPC_HOSTILE_KIND` keeps to one kind.
#![cfg(target_os = "linux")]

mod hostile_support;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hostile_support::*;
use machipc::{Client, ConnectOptions, Context, Host, Reply, Trust, mach};

const PART: &str = "MACHIPC_HOSTILE_PART";
const NAME: &str = "MACHIPC_HOSTILE_NAME";
const WATCHDOG: Duration = Duration::from_secs(120);

#[machipc::endpoint("com.example.hostile")]
enum Sum {
    Next { number: u64, reply: Reply<u64> },
}

// ---- The other processes

/// Not a test of its own: the host and the client, when the test starts this binary again.
#[test]
fn another_process() {
    match std::env::var(PART).as_deref() {
        Ok("host") => host(),
        Ok("client") => client(),
        _ => {}
    }
}

fn host() {
    let name = std::env::var(NAME).unwrap();
    let panicked = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Whatever thread it is, the test is to see it.
        panicked(info);
        std::process::abort();
    }));
    let handler = |message: Sum, _: &Context| {
        let Sum::Next { number, reply } = message;
        // Whoever asked may be gone.
        let _ = reply.send(number.wrapping_add(1));
    };
    // SAFETY: whoever lends leaves the memory alone, and what comes out of it is not looked at.
    let trust = unsafe { Trust::new() };
    let host = Host::<Sum>::builder().name(name).trust(trust).bind(handler).unwrap();
    println!("ready");
    for line in std::io::stdin().lines() {
        line.unwrap();
        println!("names {}", names());
    }
    drop(host);
}

/// How many names this process holds.
fn names() -> usize {
    let (mut names, mut types) = (std::ptr::null_mut(), std::ptr::null_mut());
    let (mut count, mut types_count) = (0, 0);
    let task = mach::mach_task_self();
    // SAFETY: each pointer is valid for one write.
    let code = unsafe { mach::mach_port_names(task, &mut names, &mut count, &mut types, &mut types_count) };
    assert_eq!(code, mach::KERN_SUCCESS);
    for array in [names, types] {
        // SAFETY: the arrays are ours to free, and used no more.
        unsafe { mach::vm_deallocate(task, array as usize, count as usize * 4) };
    }
    count as usize
}

fn client() {
    let client = Client::<Sum>::connect_to(&std::env::var(NAME).unwrap()).unwrap();
    let client = client.with_deadline(WATCHDOG);
    println!("ready");
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lines().count();
        stopped.store(true, Ordering::Relaxed);
    });
    let mut calls = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        assert_eq!(client.call(|reply| Sum::Next { number: calls, reply }).unwrap(), calls + 1);
        calls += 1;
        if calls.is_multiple_of(64) {
            // New connections get through, too.
            // A host that is busy for long answers late, and counts as absent until then.
            let options = ConnectOptions::new().name(std::env::var(NAME).unwrap()).wait(WATCHDOG);
            let other = Client::<Sum>::connect_with(&options).unwrap();
            assert_eq!(
                other.with_deadline(WATCHDOG).call(|reply| Sum::Next { number: 1, reply }).unwrap(),
                2
            );
        }
        // The processors are the host's and its enemies'.
        std::thread::sleep(Duration::from_micros(200));
    }
    println!("calls {calls}");
}

struct Other {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(part: &str, directory: &Path, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["another_process", "--exact", "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(NAME, name)
            .env("MACHIPC_BOOTSTRAP_DIR", directory)
            // The GNU allocator gives memory back at once, so that what is resident is what is held.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "65536")
            .env("MALLOC_TRIM_THRESHOLD_", "131072")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { input: child.stdin.take(), child, output }
    }

    /// The rest of the next line that has this word.
    fn line(&mut self, word: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "a process ended before it said {word:?}");
            // The harness's words may stand before it.
            if let Some(at) = line.find(word) {
                return line[at + word.len()..].trim().to_owned();
            }
        }
    }

    fn ends_well(&mut self) {
        assert!(self.child.wait().unwrap().success(), "a process failed");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process holds: names, descriptors, mappings of memory files, resident KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    names: usize,
    fds: usize,
    memory_files: usize,
    resident: usize,
}

impl Held {
    fn by(host: &mut Other) -> Self {
        writeln!(host.input.as_mut().unwrap(), "?").unwrap();
        let names = host.line("names").parse().unwrap();
        let process = PathBuf::from(format!("/proc/{}", host.child.id()));
        let maps = std::fs::read_to_string(process.join("maps")).unwrap();
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            names,
            fds: std::fs::read_dir(process.join("fd")).unwrap().count(),
            memory_files: maps.lines().filter(|line| line.contains("memfd:")).count(),
            resident: resident.trim().trim_end_matches(" kB").parse().unwrap(),
        }
    }

    fn counts(self) -> [usize; 3] {
        [self.names, self.fds, self.memory_files]
    }
}

// ---- A session to mutate

/// What an honest client writes to its link for its first call: a host that is spoken by hand listens.
fn record(directory: &Path) -> Vec<u8> {
    let name = "com.example.hostile.recorder";
    let path = socket_path(directory, name);
    let listener = socket();
    rustix::net::bind(&listener, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 4).unwrap();
    let client = Other::start("client", directory, name);
    let link = rustix::net::accept(&listener).unwrap();
    let (_, memory) = receive(&link).unwrap();
    let ring = Ring::map(memory.unwrap());
    assert!(send(&link, &welcome(), &[]));
    let started = Instant::now();
    loop {
        let bytes = ring.written(0);
        // The length of a first frame, then that frame.
        let whole = bytes.first_chunk::<4>().map(|len| place(u32::from_le_bytes(*len) as usize + 8));
        if whole.is_some_and(|whole| bytes.len() >= whole) {
            std::fs::remove_file(path).unwrap();
            // Before the link ends, which it would take for the host's death.
            drop(client);
            return bytes;
        }
        assert!(started.elapsed() < WATCHDOG, "the client sends nothing");
        std::thread::yield_now();
    }
}

// ---- The enemies

struct Enemy {
    path: PathBuf,
    name: String,
    random: Random,
    session: Vec<u8>,
    /// Connections that stay for a while: silent ones, such as never read, such as stop in the middle.
    kept: Vec<(OwnedFd, Option<Ring>)>,
    states: u64,
    /// The one kind of states to be tried, when a failure is looked into.
    only: Option<u64>,
}

/// What a host may hold more than before, in KiB, when all its enemies have gone: memory that its allocator keeps.
const GROWTH_MAX: usize = 16 * 1024;

/// Kinds of states.
const KINDS: u32 = 24;

impl Enemy {
    fn peer(&mut self) -> Peer {
        Peer::connect(&self.path, u64::from(self.random.next()) << 32 | self.states, &self.name)
    }

    fn keep(&mut self, socket: OwnedFd, ring: Option<Ring>) {
        self.kept.push((socket, ring));
        if self.kept.len() > 64 {
            let index = self.random.below(64) as usize;
            self.kept.swap_remove(index);
        }
    }

    /// One state that no honest peer is ever in.
    fn attack(&mut self) {
        self.states += 1;
        match self.only.unwrap_or(self.states) as u32 % KINDS {
            0 => self.noise(),
            1 => self.positions(),
            2 | 3 => self.mutated_session(),
            4 | 5 => self.control_frames(),
            6 => self.moves(),
            7 => self.circle(),
            8 | 9 => self.messages(),
            10 => self.memory(),
            11 => self.descriptors(),
            12 => self.bells(),
            13 => self.silent(),
            14 => self.wrong_hello(),
            15 => self.never_reads(),
            16 => self.changes_bytes(),
            17 => self.stops_in_the_middle(),
            18 => self.goes_on_after_the_end(),
            19 => self.handovers(),
            20 => self.rows(),
            21 => self.pieces(),
            22 => self.pools(),
            _ => self.introductions(),
        }
    }

    fn noise(&mut self) {
        let peer = self.peer();
        let bytes: Vec<u8> = (0..self.random.below(4096)).map(|_| self.random.next() as u8).collect();
        peer.say(&bytes);
    }

    fn positions(&mut self) {
        let peer = self.peer();
        if self.random.below(2) == 0 {
            peer.say(&self.session);
        }
        for direction in 0..2 {
            for offset in [TAIL, HEAD] {
                if self.random.below(2) == 0 {
                    let value = match self.random.below(3) {
                        0 => CAPACITY + self.random.below(3),
                        1 => self.random.field().wrapping_neg(),
                        _ => self.random.next(),
                    };
                    peer.ring.word(direction, offset).store(value, Ordering::Relaxed);
                }
            }
        }
        peer.bell();
    }

    fn mutated_session(&mut self) {
        let peer = self.peer();
        for _ in 0..=self.random.below(3) {
            let mut bytes = self.session.clone();
            for _ in 0..self.random.below(4) {
                let at = self.random.below(bytes.len() as u32) as usize;
                bytes[at] = if self.random.below(2) == 0 { self.random.next() as u8 } else { bytes[at] ^ 1 };
            }
            if self.random.below(8) == 0 {
                bytes.truncate(self.random.below(bytes.len() as u32) as usize);
            }
            peer.say(&bytes);
        }
    }

    fn control_frames(&mut self) {
        let peer = self.peer();
        peer.say(&self.session);
        for _ in 0..=self.random.below(16) {
            let kind = self.random.below(42) as u8;
            let mut words = vec![self.random.field(), self.random.field()];
            if matches!(kind, 9 | 10 | 16) {
                words.extend((0..9).map(|_| self.random.field()));
            }
            let claimed = if self.random.below(16) == 0 { self.random.field() as u16 } else { 0 };
            peer.ring.write(&frame(kind, claimed, &words));
        }
        peer.bell();
    }

    fn right(&mut self) -> [u32; 3] {
        [self.random.below(11), self.random.field(), self.random.field()]
    }

    fn moves(&mut self) {
        let peer = self.peer();
        for _ in 0..=self.random.below(4) {
            let export = (1 << 31) + self.random.below(3);
            let mut words = vec![export, self.random.field(), self.random.below(8)];
            // Send-once rights, which are mostly paid for.
            let (once, unpaid) = (self.random.below(64), self.random.below(4) == 0);
            words.extend([self.random.below(8), if unpaid { self.random.below(200_000) } else { once }]);
            words.extend((0..9).map(|_| self.random.field()));
            for _ in 0..2 {
                // Mostly rights that are there, or none.
                let right = match self.random.below(4) {
                    0 => self.right(),
                    1 => [5, export, 0],
                    2 => [3, self.random.field(), 0],
                    _ => [0; 3],
                };
                words.extend(right);
            }
            words.extend((0..once).map(|_| 0));
            peer.ring.write(&frame(11, 0, &words));
            if self.random.below(2) == 0 {
                let to = self.random.below(4) as u8;
                let destination = if self.random.below(2) == 0 { 0 } else { export };
                let items = [1, 16, 9, export, 0];
                peer.ring.write(&message(destination, to, [0; 4], &items, 1, &[1, 0, 0, 0]));
            }
            if self.random.below(2) == 0 {
                peer.ring.write(&frame(2, 0, &[export, 1]));
            }
        }
        peer.bell();
    }

    /// A port whose death is to be told to itself, and another one that is sent into its queue.
    fn circle(&mut self) {
        let peer = self.peer();
        let port = |export: u32, once: u32, destroyed: [u32; 3]| {
            let mut words = vec![export, u32::MAX, 5, 0, once, 1, 2, 3, export, 4, 5, 6, 7, 8, 0, 0, 0];
            words.extend(destroyed);
            words.extend((0..once).map(|_| 0));
            frame(11, 0, &words)
        };
        let (one, two) = (1 << 31, (1 << 31) + 1);
        peer.ring.write(&port(one, 2, [5, one, 0]));
        peer.ring.write(&port(two, 0, [0; 3]));
        // The first goes down with a message to itself; its request puts it into its own queue.
        peer.ring.write(&message(one, 0, [0; 4], &[1, 16, 9, one, 0], 1, &[1, 0, 0, 0]));
        peer.bell();
        std::thread::yield_now();
        peer.say(&message(one, 0, [0; 4], &[1, 16, 9, two, 0], 1, &[1, 0, 0, 0]));
    }

    fn messages(&mut self) {
        let peer = self.peer();
        for _ in 0..=self.random.below(6) {
            let (mut items, mut descriptors) = (Vec::new(), Vec::new());
            let count = self.random.below(4);
            for _ in 0..count {
                let tag = self.random.below(9);
                let option = match tag {
                    3 | 4 => 1 | self.random.below(3) << 8,
                    _ => 15 + self.random.below(5),
                };
                items.extend([tag, option]);
                match tag {
                    1 | 2 => items.extend(self.right()),
                    3 => {
                        let len = self.random.below(64);
                        items.push(len);
                        items.extend((0..len.div_ceil(4)).map(|_| self.random.next()));
                    }
                    5 => {
                        let rights = self.random.below(5);
                        items.push(rights);
                        for _ in 0..rights {
                            // Many in one array have to be of one kind.
                            let tag = if option == 18 { 3 } else { 2 };
                            items.extend([tag, self.random.below(9), self.random.below(9)]);
                        }
                    }
                    _ => items.push(self.random.field()),
                }
                descriptors.extend([0; 4]);
            }
            let reply = match self.random.below(3) {
                0 => [18, 3, self.random.below(4), 0],
                1 => [15 + self.random.below(4), self.random.below(10), self.random.field(), 0],
                _ => [0; 4],
            };
            let bytes = [&[count], &descriptors[..]].concat();
            let to = if self.random.below(4) == 0 { self.random.below(5) as u8 } else { 0 };
            if self.random.below(2) == 0 {
                let bits = self.random.below(8) as u8;
                let item =
                    if bits & LENDS != 0 && self.random.below(8) != 0 { 5 } else { self.random.below(7) };
                items.resize(item as usize, 7);
                let reply = if bits & ASKS != 0 { self.random.below(4) } else { self.random.below(8) / 7 };
                peer.ring.write(&plain(PLAIN | bits, 0, reply, &items, &bytes));
            } else {
                peer.ring.write(&message(0, to, reply, &items, count, &bytes));
            }
        }
        peer.bell();
    }

    /// Transfers: begun and not finished, finished and not used, used and not finished, too long, too short, too many.
    fn pieces(&mut self) {
        let peer = self.peer();
        for _ in 0..=self.random.below(3) {
            let announced = match self.random.below(8) {
                0 => self.random.field(),
                1 => 0,
                _ => 4 * self.random.below(4096),
            };
            if self.random.below(16) != 0 {
                peer.ring.write(&frame(21, 0, &[0, announced]));
            }
            let mut sent = 0;
            for _ in 0..self.random.below(6) {
                let words = if self.random.below(3) == 0 {
                    announced.saturating_sub(sent) / 4
                } else {
                    self.random.below(2048)
                };
                let words = words.min(8192);
                sent += 4 * words;
                // Padding of four bytes, or whatever.
                let padding = if self.random.below(16) == 0 { self.random.next() } else { 4 };
                let mut body = vec![padding];
                body.extend((0..words).map(|_| self.random.next()));
                peer.ring.write(&frame(22, 0, &body));
                if self.random.below(16) == 0 {
                    peer.ring.write(&frame(23, 0, &[0, self.random.field()]));
                }
            }
            let len = if self.random.below(2) == 0 { announced } else { sent };
            if self.random.below(4) != 0 {
                peer.ring.write(&message(0, 0, [0; 4], &[6, 1 | 1 << 8, len], 1, &[1, 0, 0, 0, 0]));
            }
            if peer.ring.word(0, TAIL).load(Ordering::Relaxed) > CAPACITY / 2 {
                break;
            }
        }
        peer.bell();
    }

    /// Pools, as they should be and not, and loans of them and of none.
    fn pools(&mut self) {
        let peer = self.peer();
        for _ in 0..=self.random.below(2) {
            let size =
                if self.random.below(4) == 0 { self.random.below(1 << 21) as usize } else { 257 * 4096 };
            let pool = memfd(size);
            if self.random.below(4) != 0 {
                rustix::fs::fcntl_add_seals(&pool, seals()).unwrap();
            }
            send(&peer.socket, b"F\x01", &[pool.as_fd()]);
            let export = match self.random.below(4) {
                0 | 1 => 0,
                2 => u32::MAX,
                _ => self.random.field(),
            };
            peer.ring.write(&frame(24, 1, &[export, 0]));
            if self.random.below(8) == 0 {
                peer.ring.write(&frame(25, 0, &[0, 0]));
            }
            for _ in 0..self.random.below(6) {
                let sound = self.random.below(8) != 0;
                let loan = if sound {
                    [1 + self.random.below(8192), self.random.below(254), 1 << 31 | self.random.next()]
                } else {
                    [self.random.field(), self.random.field(), self.random.field()]
                };
                let options = 1 | self.random.below(2) << 8 | u32::from(self.random.below(8) == 0) << 17;
                let items = [&[7, options], &loan[..]].concat();
                let reply =
                    if self.random.below(2) == 0 { [18, 3, self.random.below(64), 0] } else { [0; 4] };
                let to = if self.random.below(8) == 0 { self.random.below(5) as u8 } else { 0 };
                peer.ring.write(&message(0, to, reply, &items, 1, &[1, 0, 0, 0, 0]));
            }
        }
        peer.bell();
    }

    /// Rows of messages, sound ones and others, between sound frames of one message.
    fn rows(&mut self) {
        let peer = self.peer();
        for _ in 0..=self.random.below(6) {
            let count = self.random.below(8);
            let mut messages = Vec::new();
            for _ in 0..count {
                let words = 6 + 4 * self.random.below(6) + 2;
                let size = if self.random.below(12) == 0 { self.random.field() } else { 4 * words };
                messages.extend([self.random.field(), size, self.random.next(), self.random.next(), 0, 77]);
                messages.extend((6..words).map(|_| self.random.next()));
            }
            let claimed = if self.random.below(8) == 0 { self.random.field() } else { count };
            let export = if self.random.below(8) == 0 { self.random.field() } else { 0 };
            if self.random.below(8) == 0 {
                messages.truncate(self.random.below(1 + messages.len() as u32) as usize);
            }
            peer.ring.write(&frame(20, 0, &[&[export, claimed], &messages[..]].concat()));
            if self.random.below(2) == 0 {
                peer.ring.write(&message(0, 0, [0; 4], &[], 0, &[0; 8]));
            }
        }
        if self.random.below(2) == 0 {
            peer.bell();
            return;
        }
        // And changed while they are looked at.
        let len = peer.ring.written(0).len() as u32;
        for _ in 0..64 {
            let at = 4096 + self.random.below(len.max(1)) as usize;
            peer.ring.byte(at).store(self.random.next() as u8, Ordering::Relaxed);
        }
        peer.bell();
        for _ in 0..1024 {
            let at = 4096 + self.random.below(len.max(1)) as usize;
            peer.ring.byte(at).store(self.random.next() as u8, Ordering::Relaxed);
        }
    }

    fn memory(&mut self) {
        let socket = connect(&self.path);
        let packet = hello(self.states, &self.name);
        match self.random.below(7) {
            0 => {
                // Without seals, and shrunk at once.
                let fd = memfd(SIZE);
                send(&socket, &packet, &[fd.as_fd()]);
                rustix::fs::ftruncate(&fd, 0).unwrap();
            }
            1 => {
                let fd = memfd(self.random.below(SIZE as u32) as usize);
                rustix::fs::fcntl_add_seals(&fd, seals()).unwrap();
                send(&socket, &packet, &[fd.as_fd()]);
            }
            2 => {
                let fd = memfd(SIZE);
                rustix::fs::fcntl_add_seals(&fd, seals() | rustix::fs::SealFlags::WRITE).unwrap();
                send(&socket, &packet, &[fd.as_fd()]);
            }
            3 => {
                send(&socket, &packet, &[rustix::pipe::pipe().unwrap().0.as_fd()]);
            }
            4 => {
                send(&socket, &packet, &[]);
            }
            5 => {
                let fd = memfd(SIZE);
                rustix::fs::fcntl_add_seals(&fd, seals()).unwrap();
                send(&socket, &packet, &[fd.as_fd(), fd.as_fd()]);
            }
            _ => {
                // A link as it should be, and memory in a message as it should not be.
                let peer = self.peer();
                let fd = memfd(self.random.below(3) as usize * 4096);
                if self.random.below(2) == 0 {
                    rustix::fs::fcntl_add_seals(&fd, seals() | rustix::fs::SealFlags::WRITE).unwrap();
                }
                send(&peer.socket, b"F\x01", &[fd.as_fd()]);
                let len = self.random.below(3 * 4096);
                let mut bytes = message(0, 0, [0; 4], &[4, 1, len], 1, &[1, 0, 0, 0, 0]);
                if self.random.below(2) == 0 {
                    // The message's own bytes are said to be there.
                    bytes = message(0, 0, [0; 4], &[], 0, &[]);
                    bytes[44..48].copy_from_slice(&(len & !3).to_le_bytes());
                }
                bytes[6] = 1;
                peer.say(&bytes);
                let _ = rustix::fs::ftruncate(&fd, 0);
            }
        }
    }

    fn descriptors(&mut self) {
        let peer = self.peer();
        let fd = peer.ring.fd.as_fd();
        let fds = vec![fd; 1 + self.random.below(253) as usize];
        for _ in 0..self.random.below(12) {
            // As many as are said, or another number.
            let said = if self.random.below(4) == 0 { self.random.below(256) as u8 } else { fds.len() as u8 };
            send(&peer.socket, &[b'F', said], &fds);
        }
        if self.random.below(2) == 0 {
            peer.say(&frame(2, 1 + self.random.below(300) as u16, &[0, 0]));
        }
    }

    fn bells(&mut self) {
        let peer = self.peer();
        for _ in 0..500 {
            send(&peer.socket, b"B", &[]);
        }
    }

    fn silent(&mut self) {
        for _ in 0..8 {
            let socket = connect(&self.path);
            self.keep(socket, None);
        }
    }

    fn wrong_hello(&mut self) {
        let (socket, ring) = (connect(&self.path), Ring::new());
        let mut packet = hello(self.states, &self.name);
        match self.random.below(4) {
            0 => packet[4] = self.random.below(256) as u8,
            1 => packet[0] = self.random.below(256) as u8,
            2 => packet.truncate(self.random.below(24) as usize),
            _ => packet.resize(40 + self.random.below(400) as usize, b'x'),
        }
        send(&socket, &packet, &[ring.fd.as_fd()]);
    }

    /// Calls whose answers nobody takes out of the ring.
    fn never_reads(&mut self) {
        let peer = self.peer();
        peer.say(&frame(5, 0, &[0, u32::MAX]));
        for reply in 0..64 {
            let mut call = self.session.clone();
            assert_eq!(call[4], PLAIN | ASKS, "a call of an honest client");
            call[REPLY] = reply;
            peer.ring.write(&call);
        }
        peer.ring.word(1, TAIL).fetch_add(0, Ordering::Relaxed);
        peer.bell();
        self.keep(peer.socket, Some(peer.ring));
    }

    fn changes_bytes(&mut self) {
        let peer = self.peer();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut random = Random::new(self.states);
            let (ring, done, len) = (&peer.ring, &done, self.session.len());
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // Where frames are, mostly; else anywhere, control words included.
                    let at = match random.below(8) {
                        0 => random.below(4096) as usize,
                        _ => 4096 + random.below(8 * len as u32) as usize,
                    };
                    ring.byte(at).store(random.next() as u8, Ordering::Relaxed);
                }
            });
            for _ in 0..8 {
                peer.say(&self.session);
                std::thread::yield_now();
            }
            done.store(true, Ordering::Relaxed);
        });
    }

    fn stops_in_the_middle(&mut self) {
        let peer = self.peer();
        if self.random.below(2) == 0 {
            let count = 1 + self.random.below(12.min(self.session.len() as u32));
            peer.say(&self.session[..count as usize]);
        } else {
            // A long message, in the middle of which its reader waits a moment for more; or which comes bit by bit.
            let long = plain(PLAIN, 0, 0, &[], &vec![7; 1024 * (1 + self.random.below(32) as usize)]);
            let count = self.random.below(long.len() as u32) as usize;
            let part = if self.random.below(2) == 0 { count + 1 } else { 1 + self.random.below(64) as usize };
            long[..count].chunks(part).for_each(|bytes| peer.say(bytes));
        }
        self.keep(peer.socket, Some(peer.ring));
    }

    fn goes_on_after_the_end(&mut self) {
        let Peer { socket, ring } = self.peer();
        if self.random.below(2) == 0 {
            ring.word(0, TAIL).store(CAPACITY + 1, Ordering::Relaxed);
            send(&socket, b"B", &[]);
        }
        drop(socket);
        let started = Instant::now();
        let bytes = frame(5, 0, &[77, 1]);
        while started.elapsed() < Duration::from_millis(2) {
            ring.write(&bytes);
        }
    }

    /// Ports that move, and rights that are to be used elsewhere, or not at all.
    fn handovers(&mut self) {
        let peer = self.peer();
        let mut call = self.session.clone();
        for reply in 0..=self.random.below(4) {
            call[REPLY] = reply as u8;
            peer.ring.write(&call);
            // The answer is sent when the host may, if it ever may.
            peer.ring.write(&frame(13, 0, &[reply, self.random.field()]));
        }
        let port = 1 << 31;
        let moved: Vec<u32> = [port, u32::MAX, 5, 0, 3].into_iter().chain([1; 9]).chain([0; 6 + 3]).collect();
        peer.ring.write(&frame(11, 0, &moved));
        for _ in 0..=self.random.below(12) {
            let export = if self.random.below(2) == 0 { port } else { self.random.below(4) };
            match self.random.below(8) {
                // Go on, stop, stopped, given back, dead, nothing more to say.
                0..=2 => {
                    let kind = [15, 13, 14, 3, 2, 4, 18][self.random.below(7) as usize];
                    peer.ring.write(&frame(kind, 0, &[export, self.random.below(4)]));
                }
                // To be introduced, or brought elsewhere: to somebody who speaks, or does not, or to what is no connection.
                3..=6 => {
                    let (ours, theirs) = pair();
                    let kind = [6, 16, 17][self.random.below(3) as usize];
                    let fd = if self.random.below(8) == 0 { peer.ring.fd.as_fd() } else { theirs.as_fd() };
                    send(&peer.socket, b"F\x01", &[fd]);
                    let mut words = vec![export, self.random.below(4)];
                    if kind == 16 {
                        words.extend([1; 9]);
                    }
                    peer.ring.write(&frame(kind, 1, &words));
                    let ring = Ring::new();
                    match self.random.below(4) {
                        0 => {
                            send(&ours, &hello(self.states, ""), &[ring.fd.as_fd()]);
                        }
                        1 => {
                            send(&ours, &welcome(), &[]);
                        }
                        2 => continue,
                        _ => {}
                    }
                    self.keep(ours, Some(ring));
                }
                // The receive right comes.
                _ => {
                    let items = [1, 16, 9, port, 0];
                    peer.ring.write(&message(0, 0, [0; 4], &items, 1, &[1, 0, 0, 0]));
                }
            }
        }
        peer.bell();
        if self.random.below(2) == 0 {
            self.keep(peer.socket, Some(peer.ring));
        }
    }

    fn introductions(&mut self) {
        let peer = self.peer();
        let (ours, theirs) = pair();
        match self.random.below(4) {
            0 => {
                // Ask to be introduced, then break off or greet with what is not memory.
                send(&peer.socket, b"F\x01", &[theirs.as_fd()]);
                peer.say(&frame(6, 1, &[self.random.below(2), self.random.below(3)]));
                send(&ours, &hello(self.states, ""), &[ours.as_fd()]);
            }
            1 => {
                // No socket at all.
                let (read, _write) = rustix::pipe::pipe().unwrap();
                send(&peer.socket, b"F\x01", &[read.as_fd()]);
                peer.say(&frame(6, 1, &[0, 0]));
            }
            _ => {
                // A right to nobody's port: the host begins a link, and its peer writes without having said who it is.
                send(&peer.socket, b"F\x01", &[theirs.as_fd()]);
                peer.ring.write(&frame(10, 0, &[0, 0, 0, 0, 0, self.random.below(2), 0, 0, 0, 0, 0]));
                let mut bytes = message(0, 0, [17, 6, 0, 0], &[], 0, &[]);
                bytes[6] = 1;
                peer.say(&bytes);
                drop(theirs);
                rustix::io::ioctl_fionbio(&ours, true).unwrap();
                std::thread::yield_now();
                if let Some((_, Some(memory))) = receive(&ours)
                    && rustix::fs::fstat(&memory).unwrap().st_size == SIZE as i64
                {
                    let ring = Ring::map(memory);
                    ring.word(1, TAIL).store(self.random.below(300_000), Ordering::Relaxed);
                    send(&ours, b"B", &[]);
                }
                // Kept open by its maker, who keeps sending: the host must be rid of it.
                self.keep(ours, None);
            }
        }
        self.keep(peer.socket, Some(peer.ring));
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn a_host_serves_others_while_peers_break_the_protocol() {
    if std::env::var_os(PART).is_some() {
        return;
    }
    let states = number("MACHIPC_HOSTILE_STATES", 2_000);
    let seed = number("MACHIPC_HOSTILE_SEED", 1);
    let directory = std::env::temp_dir().join(format!("machipc-hostile-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    std::os::unix::fs::chown(&directory, None, None).unwrap();
    rustix::fs::chmod(&directory, rustix::fs::Mode::RWXU).unwrap();
    let only = std::env::var_os("MACHIPC_HOSTILE_KIND").map(|_| number("MACHIPC_HOSTILE_KIND", 0));
    let session = record(&directory);

    let name = "com.example.hostile.host".to_owned();
    let mut host = Other::start("host", &directory, &name);
    host.line("ready");
    let mut client = Other::start("client", &directory, &name);
    client.line("ready");
    let path = socket_path(&directory, &name);
    let mut enemy =
        Enemy { path, name, random: Random::new(seed), session, kept: Vec::new(), states: 0, only };
    // Otherwise nothing of what follows would get further than the first packet.
    assert!(receive(&enemy.peer().socket).is_some(), "a right hello is answered");

    // What comes to be once and stays is there after some states of each kind.
    let warm = u64::from(KINDS) * 10;
    let mut before = None;
    for state in 0..warm + states {
        if state == warm {
            enemy.kept.clear();
            before = Some(settled(&mut host, None));
        }
        enemy.attack();
        assert!(host.child.try_wait().unwrap().is_none(), "the host has ended after state {state}");
        assert!(client.child.try_wait().unwrap().is_none(), "the client has ended after state {state}");
    }
    enemy.kept.clear();
    let before = before.unwrap();
    let after = settled(&mut host, Some(before));
    drop(client.input.take());
    let calls: u64 = client.line("calls").parse().unwrap();
    client.ends_well();
    println!("{states} states, seed {seed}, {calls} honest calls; {before:?} then {after:?}");
    assert!(calls > 0);
    drop(host.input.take());
    host.ends_well();
    std::fs::remove_dir_all(directory).unwrap();
}

/// What the host holds once it has dealt with everything: `like` what it held, or the same several times in a row.
fn settled(host: &mut Other, like: Option<Held>) -> Held {
    let started = Instant::now();
    let (mut last, mut same) = (Held::by(host), 0);
    loop {
        std::thread::sleep(Duration::from_millis(10));
        let now = Held::by(host);
        same = if now.counts() == last.counts() { same + 1 } else { 0 };
        let done = match like {
            // The honest client comes and goes: one link more or less, with its descriptor and memory.
            Some(like) => {
                let counted = now.counts().iter().zip(like.counts()).all(|(now, then)| *now <= then + 2);
                // What peers left in the host's queue is served first. What is freed a sanitizer keeps.
                counted && (cfg!(machipc_sanitizer) || now.resident < like.resident + GROWTH_MAX)
            }
            None => same >= 20,
        };
        if done {
            return now;
        }
        assert!(started.elapsed() < WATCHDOG, "the host still holds {now:?}, not {like:?}");
        last = now;
    }
}
