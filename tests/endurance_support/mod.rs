//! What the long-running tests share: second processes, a private directory of names, a watchdog that wants to be fed, and
//! what a process holds as `/proc` tells it.

#![allow(dead_code)] // each test binary uses a part

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use machipc::message::MachMessage;
use machipc::port::{Deadline, MachError, MessageBuffer, Outgoing, SendRight};

/// Nothing that works takes this long: a minute, or as many seconds as `MACHIPC_TEST_PATIENCE` says.
pub fn patience() -> Duration {
    let seconds = std::env::var("MACHIPC_TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

const PRIVATE: &str = "MACHIPC_TEST_PRIVATE";
const ROLE: &str = "MACHIPC_TEST_ROLE";

/// How much a test does: `MACHIPC_TEST_ROUNDS`, else what suits every day.
pub fn rounds(usual: u64) -> u64 {
    std::env::var("MACHIPC_TEST_ROUNDS").ok().map_or(usual, |text| text.parse().expect("a number of rounds"))
}

pub fn soon() -> Deadline {
    Deadline::after(patience())
}

pub fn send<M: MachMessage>(to: &SendRight<M>, message: &M) -> Result<(), MachError> {
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, message).expect("it can be encoded").copy_send(to).send(soon())
}

/// Waits until `done`, looking again and again.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < patience(), "timed out: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `body` in a process of its own, which has a directory of names to itself. Nothing may be left in it.
pub fn privately(test: &str, body: impl FnOnce()) {
    if std::env::var(PRIVATE).as_deref() == Ok(test) {
        return body();
    }
    let directory = std::env::temp_dir().join(format!("machipc-{test}-{}", std::process::id()));
    make_directory(&directory);
    let names = directory.join("names");
    make_directory(&names);
    let status = this_program(test)
        .env(PRIVATE, test)
        .env("MACHIPC_BOOTSTRAP_DIR", &names)
        .env("MACHIPC_TEST_DIRECTORY", &directory)
        .status()
        .expect("a second process");
    let left = files_in(&names);
    std::fs::remove_dir_all(&directory).expect("a directory of this test");
    assert!(status.success(), "{test}: {status}");
    assert!(left.is_empty(), "left in the directory of names: {left:?}");
}

fn make_directory(path: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(path).expect("a new directory");
}

/// The directory of the test, for what is not a name.
pub fn own_directory() -> std::path::PathBuf {
    std::env::var_os("MACHIPC_TEST_DIRECTORY").expect("set by `privately`").into()
}

/// The names in the private directory, as files.
pub fn bootstrap_files() -> Vec<String> {
    files_in(Path::new(&std::env::var_os("MACHIPC_BOOTSTRAP_DIR").expect("set by `privately`")))
}

fn files_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn this_program(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    // Whoever runs an ignored test wants its second processes to run it, too.
    command.args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// The role of this process in the named test, in words; `None` in the process that the test starts in.
pub fn role() -> Option<Vec<String>> {
    let role = std::env::var(ROLE).ok()?;
    Some(role.split(' ').map(str::to_owned).collect())
}

/// Another process of the same program. It is gone when this is.
pub struct Second {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Second {
    /// Starts the test `entry` in a second process, which asks for its [`role`].
    pub fn start(entry: &str, role: &str) -> Self {
        Self::spawn(this_program(entry).env(ROLE, role))
    }

    /// The same under another program, such as a tracer.
    pub fn start_under(program: &mut Command, entry: &str, role: &str) -> Self {
        let this = this_program(entry);
        Self::spawn(program.arg(this.get_program()).args(this.get_args()).env(ROLE, role))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a second process");
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("piped"));
        Self { child, input, output: BufReader::new(output) }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process tells next.
    pub fn told(&mut self) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("standard output") > 0 {
            if let Some(text) = line.trim_end().strip_prefix("@ ") {
                return text.to_owned();
            }
            line.clear();
        }
        panic!("the second process ended early: {:?}", self.child.wait());
    }

    /// Writes a line to its input.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("not yet finished");
        input.write_all(format!("{line}\n").as_bytes()).expect("the second process lives");
    }

    /// Kills the process, which must have lived until then.
    pub fn kill(&mut self) {
        use std::os::unix::process::ExitStatusExt;
        self.child.kill().expect("a process of ours");
        let status = self.child.wait().expect("a process of ours");
        assert_eq!(status.signal(), Some(9), "the process ended by itself: {status}");
    }

    /// Closes its input, upon which it is to end.
    pub fn finish(mut self) -> ExitStatus {
        self.input.take();
        self.child.wait().expect("a process of ours")
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells the process that started this one.
pub fn tell(text: &str) {
    let mut output = std::io::stdout();
    output.write_all(format!("\n@ {text}\n").as_bytes()).expect("standard output");
    output.flush().expect("standard output");
}

/// Waits for the next line from the process that started this one.
pub fn wait_for_word() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("standard input");
}

/// Waits until the process that started this one closes the input, or is gone.
pub fn wait_for_end_of_input() {
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}

/// Ends this process when the one that started it is gone.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        wait_for_end_of_input();
        std::process::exit(0);
    });
}

/// Aborts the process when a thread panics: a second process that goes on without it would only hide that.
pub fn abort_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        std::process::abort();
    }));
}

/// Aborts the process when it is not fed for a long time.
pub struct Watchdog {
    _alive: mpsc::Sender<()>,
    fed: Arc<AtomicU64>,
}

impl Watchdog {
    pub fn new(what: &'static str) -> Self {
        let (alive, ended) = mpsc::channel();
        let fed = Arc::new(AtomicU64::new(0));
        let food = fed.clone();
        std::thread::spawn(move || {
            let mut before = u64::MAX;
            while ended.recv_timeout(patience() * 2) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = food.load(Ordering::Relaxed);
                if now == before {
                    eprintln!("{what}: nothing has moved for too long, after {now} rounds");
                    std::process::abort();
                }
                before = now;
            }
        });
        Self { _alive: alive, fed }
    }

    pub fn feed(&self) {
        self.fed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Random enough: a xorshift generator. The same seed gives the same numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// The open descriptors of this process.
pub fn descriptors() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("procfs").flatten();
    // The one that reads the directory is gone when it is looked at.
    let mut open: Vec<String> = entries
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.path()).ok()?;
            Some(format!("{} {}", entry.file_name().to_string_lossy(), target.display()))
        })
        .collect();
    open.sort();
    open
}

/// The mappings of the library's memory.
pub fn mappings() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("procfs");
    maps.lines().filter(|line| line.contains("memfd:machipc")).map(str::to_owned).collect()
}

/// The resident memory of a process, in bytes: its own and what it shares.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a size") * 1024
}

/// The processor time of a process, in ticks of a hundredth of a second.
pub fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("procfs");
    // The name of the program, in brackets, may have spaces.
    let fields = stat.rsplit_once(") ").expect("a name in brackets").1;
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum()
}

/// How often the threads of a process have slept of their own will.
pub fn sleeps(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("procfs");
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| {
            let mut lines = status.lines();
            lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok())
        })
        .sum()
}
