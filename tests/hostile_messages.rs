//! A raw client that sends a host everything but its messages: each is refused and counted, nothing of it stays behind, and an honest client
//! is served as before.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use machipc::mach::*;
use machipc::message::{MachMessage, Prefix};
use machipc::{Client, Context, Error, Host, LogLevel, LogRecord, Logger, Reply};

const ROLE: &str = "MACHIPC_TEST_HOSTILE_ROLE";
/// Bad messages after the warm-up.
const MESSAGES: u32 = 100_000;
/// Bad messages before the first look at the host: its buffers and tables have their size then.
const WARM_UP: u32 = 5_000;
/// What resident memory may differ by, in KiB: the allocator's own pages.
const SLACK: i64 = 512;

#[machipc::endpoint("com.example.hostile")]
enum Target<'a> {
    Note(&'a str),
    List { items: Vec<u32>, tail: String },
    Echo { text: &'a str, reply: Reply<String> },
}

// ---- The host's process

struct Count(std::sync::Arc<std::sync::atomic::AtomicU64>);

impl Logger for Count {
    fn enabled(&self, level: LogLevel) -> bool {
        level <= LogLevel::Warn
    }

    fn log(&self, _: &LogRecord<'_>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Not a test of its own: the process that the test below starts. It answers each line with what it holds.
#[test]
fn host_role() {
    let Ok(name) = std::env::var(ROLE) else { return };
    let lines = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let host = Host::<Target>::builder()
        .name(&name)
        .logger(Count(lines.clone()))
        .bind(|message: Target<'_>, _: &Context| match message {
            Target::Note(text) => drop(text.to_owned()),
            Target::List { items, tail } => drop((items, tail)),
            Target::Echo { text, reply } => drop(reply.send(text.to_owned())),
        })
        .expect("the name is free");
    println!("\nready");
    for line in std::io::stdin().lines() {
        if line.is_err() {
            break;
        }
        let stats = host.stats();
        let (fds, resident) = (files(), resident());
        let logged = lines.load(std::sync::atomic::Ordering::Relaxed);
        println!("state {} {fds} {resident} {} {} {logged}", names(), stats.refused(), stats.handled);
        std::io::stdout().flush().expect("standard output");
    }
}

fn names() -> usize {
    let (mut names, mut types) = (core::ptr::null_mut(), core::ptr::null_mut());
    let (mut count, mut types_count) = (0, 0);
    let own = mach_task_self();
    // SAFETY: each pointer is valid for one write.
    let code = unsafe { mach_port_names(own, &mut names, &mut count, &mut types, &mut types_count) };
    assert_eq!(code, KERN_SUCCESS);
    for array in [names as usize, types as usize] {
        // SAFETY: the arrays are ours to free, and nothing points into them.
        unsafe { vm_deallocate(own, array, 4 * count as usize) };
    }
    count as usize
}

/// Open descriptors; 0 where the system does not list them.
fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Resident memory in KiB; 0 where the system does not tell.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    names: i64,
    files: i64,
    resident: i64,
    refused: i64,
    handled: i64,
    logged: i64,
}

impl Process {
    fn start(name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args(["--exact", "host_role", "--nocapture", "--test-threads=1"])
            .env(ROLE, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process");
        let input = child.stdin.take().expect("piped");
        let mut process = Self { input, output: BufReader::new(child.stdout.take().expect("piped")), child };
        process.line("ready");
        process
    }

    fn line(&mut self, prefix: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).expect("the host's output") > 0, "the host has ended");
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.trim().to_owned();
            }
        }
    }

    fn state(&mut self) -> State {
        writeln!(self.input, "state").expect("the host's input");
        let line = self.line("state ");
        let words: Vec<i64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [names, files, resident, refused, handled, logged] = words[..] else { panic!("state {line:?}") };
        State { names, files, resident, refused, handled, logged }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- The raw client

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// What the attacker holds: the host's port, a port of its own, and a page.
struct Attacker {
    host: mach_port_t,
    own: mach_port_t,
    page: Vec<u8>,
    random: Random,
    /// An honest message of each variant: id and payload with prefix.
    honest: Vec<(i32, Vec<u8>)>,
}

/// A message's bytes behind its header, with descriptors of which some are surplus.
struct Bad {
    id: i32,
    descriptors: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// Leave out the padding before the body.
    unpadded: bool,
}

impl Attacker {
    fn bad(&mut self, kind: u32) -> Bad {
        let pick = self.random.next() as usize % self.honest.len();
        let (id, mut body) = self.honest[pick].clone();
        let mut bad = Bad { id, descriptors: Vec::new(), body: Vec::new(), unpadded: false };
        match kind {
            // Nothing but noise, under any id.
            0 => {
                bad.id = self.random.next() as i32;
                let len = self.random.next() as usize % 512;
                body = self.random.bytes(len);
            }
            // Cut short: somewhere before its end.
            1 => body.truncate(self.random.next() as usize % body.len().saturating_sub(4).max(1)),
            // Another type's fingerprint.
            2 => body[8] ^= 1 << (self.random.next() % 8),
            // No variant of this endpoint.
            3 => bad.id ^= 1 << (self.random.next() % 20),
            // Rights, memory and arrays that nobody asked for.
            4 => bad.descriptors.push(self.port_descriptor(self.own, MACH_MSG_TYPE_MAKE_SEND)),
            5 => bad.descriptors.push(self.memory_descriptor(self.page.len() as u32, MACH_MSG_PHYSICAL_COPY)),
            6 => bad.descriptors.push(self.memory_descriptor(64, MACH_MSG_VIRTUAL_COPY)),
            7 => bad.descriptors.push(self.array_descriptor()),
            // A payload length of 2^32-1.
            8 => body[4..8].fill(0xff),
            // The payload that is said to be out of line is not there.
            9 => body[3] = Prefix::OUT_OF_LINE,
            // A string or list of 2^32-1.
            10 => body[16..20].fill(0xff),
            // What only the kernel sends.
            11 => {
                bad.id = [65, 66, 69, 70, 71, 72][self.random.next() as usize % 6];
                body.truncate(12);
            }
            // Nothing at all.
            12 => body.clear(),
            // Prefix right, payload noise that is no UTF-8.
            _ => {
                let end = body.len();
                body[20..end].fill(0xfe);
            }
        }
        bad.unpadded = kind == 0 && body.len() % 8 == 0;
        bad.body = body;
        bad
    }

    fn port_descriptor(&self, name: mach_port_t, disposition: u32) -> Vec<u8> {
        let mut bytes = name.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, disposition as u8, MACH_MSG_PORT_DESCRIPTOR]);
        bytes
    }

    fn memory_descriptor(&self, size: u32, copy: u8) -> Vec<u8> {
        let mut bytes = (self.page.as_ptr() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0, copy, 0, MACH_MSG_OOL_DESCRIPTOR]);
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes
    }

    fn array_descriptor(&self) -> Vec<u8> {
        let mut bytes = (self.page.as_ptr() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[
            0,
            MACH_MSG_VIRTUAL_COPY,
            MACH_MSG_TYPE_MAKE_SEND as u8,
            MACH_MSG_OOL_PORTS_DESCRIPTOR,
        ]);
        bytes.extend_from_slice(&3_u32.to_le_bytes());
        bytes
    }

    /// Sends a bad message; with `ask` it has a reply right.
    fn send(&mut self, bad: &Bad, ask: bool) {
        let complex = if bad.descriptors.is_empty() { 0 } else { MACH_MSGH_BITS_COMPLEX };
        let reply = if ask { MACH_MSG_TYPE_MAKE_SEND_ONCE } else { 0 };
        let mut bytes = Vec::new();
        let words = [
            MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, reply) | complex,
            0,
            self.host,
            if ask { self.own } else { MACH_PORT_NULL },
            0,
            bad.id as u32,
        ];
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        if complex != 0 {
            bytes.extend_from_slice(&(bad.descriptors.len() as u32).to_le_bytes());
            bad.descriptors.iter().for_each(|descriptor| bytes.extend_from_slice(descriptor));
        }
        if !bad.unpadded {
            bytes.resize(bytes.len().next_multiple_of(16), 0);
        }
        bytes.extend_from_slice(&bad.body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let mut message: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let header = message.as_mut_ptr().cast();
        // SAFETY: `message` is as long as said; descriptors name the page, which lives as long as the attacker.
        let code = unsafe { mach_msg(header, MACH_SEND_MSG, bytes.len() as u32, 0, 0, 0, 0) };
        assert_eq!(code, MACH_MSG_SUCCESS, "{}", mach_error_string(code));
    }

    /// Takes one answer, which must be there within the watchdog's time.
    fn answer(&self) -> i32 {
        let mut buffer = vec![0_u32; 1024];
        let option = MACH_RCV_MSG | MACH_RCV_TIMEOUT;
        let header: *mut mach_msg_header_t = buffer.as_mut_ptr().cast();
        // SAFETY: `buffer` is writable for 4096 bytes.
        let code = unsafe { mach_msg(header, option, 0, 4096, self.own, 60_000, 0) };
        assert_eq!(code, MACH_MSG_SUCCESS, "{}", mach_error_string(code));
        buffer[5] as i32
    }
}

/// An honest message as it is sent: id, then prefix and payload.
fn honest(message: &Target<'_>) -> (i32, Vec<u8>) {
    let mut buffer = machipc::message::AlignedBuffer::new();
    let mut encoder = machipc::message::Encoder::new(&mut buffer);
    message.encode_payload(&mut encoder).expect("an honest message");
    let encoded = encoder.finish();
    let payload = encoded.buffer.as_bytes()[encoded.start..].to_vec();
    let prefix = Prefix::new(payload.len(), Target::fingerprint(), 0).expect("a short message");
    (message.message_id(), [&prefix.to_bytes()[..], &payload].concat())
}

#[test]
fn a_host_is_unharmed_by_100_000_bad_messages() {
    let name = format!("com.example.hostile.{}", std::process::id());
    let mut host = Process::start(&name);
    let honest_client = Client::<Target>::connect_to(&name).expect("the host is there");
    let echo = |text: &str| honest_client.call(|reply| Target::Echo { text, reply });
    assert_eq!(echo("before").expect("an answer"), "before");

    let own_task = mach_task_self();
    let (mut target, mut own) = (0, 0);
    let c_name = std::ffi::CString::new(name.clone()).expect("no NUL");
    // SAFETY: a C string of less than 128 bytes, and a place for one write.
    let code = unsafe { bootstrap_look_up(bootstrap_port(), c_name.as_ptr(), &mut target) };
    assert_eq!(code, BOOTSTRAP_SUCCESS);
    // SAFETY: a place for one write.
    assert_eq!(unsafe { mach_port_allocate(own_task, MACH_PORT_RIGHT_RECEIVE, &mut own) }, KERN_SUCCESS);
    let limit = [MACH_PORT_QLIMIT_MAX as i32];
    // SAFETY: one readable word.
    let code = unsafe { mach_port_set_attributes(own_task, own, MACH_PORT_LIMITS_INFO, limit.as_ptr(), 1) };
    assert_eq!(code, KERN_SUCCESS);

    // Three names at the page's start, for the array; the rest is noise.
    let mut page = Random(7).bytes(40_000);
    (0..3).for_each(|index| page[4 * index..4 * index + 4].copy_from_slice(&own.to_le_bytes()));
    let honest = vec![
        honest(&Target::Note("a note that is honest")),
        honest(&Target::List { items: vec![1, 2, 3, 4], tail: "the tail".to_owned() }),
    ];
    let mut attacker = Attacker { host: target, own, page, random: Random(42), honest };
    let mut asked = 0;
    let mut attack = |attacker: &mut Attacker, count: u32| {
        for index in 0..count {
            let bad = attacker.bad(index % 14);
            // Some ask for an answer, and get one that says no.
            let ask = index % 16 == 3 && bad.id > 100;
            attacker.send(&bad, ask);
            if ask {
                assert!(attacker.answer() > 0, "an answer, and not a notification that there is none");
                asked += 1;
            }
        }
    };
    attack(&mut attacker, WARM_UP);
    assert_eq!(echo("between").expect("an answer"), "between");
    let before = host.state();
    attack(&mut attacker, MESSAGES);
    // Behind all the bad ones in the same queue.
    assert_eq!(echo("after").expect("an answer"), "after");
    let after = host.state();

    let refused = after.refused - before.refused;
    let noise_that_fits = i64::from(MESSAGES) - refused - (after.handled - before.handled - 1);
    assert_eq!(noise_that_fits, 0, "each message is refused or, by chance, good: {before:?} {after:?}");
    assert!(refused > i64::from(MESSAGES) * 9 / 10, "most messages are bad: {before:?} {after:?}");
    assert!(after.logged > 0, "the host writes of it");
    assert_eq!((before.names, before.files), (after.names, after.files), "names and descriptors of the host");
    // What is freed a sanitizer keeps.
    let grown = if cfg!(machipc_sanitizer) { 0 } else { after.resident - before.resident };
    assert!(grown <= SLACK, "resident memory in KiB: {before:?} {after:?}");
    println!(
        "{MESSAGES} bad messages: {refused} refused, {asked} of all answered with a refusal; before {before:?}, after {after:?}"
    );

    // Of another type altogether: the error names both.
    let options = machipc::ConnectOptions::new().name(&name).compare(std::time::Duration::from_secs(60));
    let error =
        Client::<(String, Reply<u32>)>::connect_with(&options).expect_err("the host speaks another type");
    assert!(matches!(error, Error::Fingerprint { .. }), "{error}");
    assert_eq!(mach_port_deallocate(own_task, target), KERN_SUCCESS);
    assert_eq!(mach_port_destroy(own_task, own), KERN_SUCCESS);
}
