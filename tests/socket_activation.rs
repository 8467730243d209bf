//! Declared names: the test plays the service manager, as systemd's socket activation does it. It makes a name's listening socket, starts
//! the host when somebody connects, and hands the socket down.
#![cfg(target_os = "linux")]

mod endurance_support;

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use endurance_support::*;
use machipc::port::{Deadline, MessageBuffer, ReceiveRight, bootstrap};
use machipc::{Client, Context, Error, Host, Reply};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

const NAME: &str = "com.example.declared";

/// What a service manager has of a name: the socket, and its file.
struct Socket {
    listener: OwnedFd,
    file: PathBuf,
    inode: u64,
}

/// What the documentation tells to put into a socket unit.
fn name_of_file(name: &str) -> String {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{name}-{hash:016x}.sock")
}

fn file_of(name: &str) -> PathBuf {
    let directory = std::env::var_os("MACHIPC_BOOTSTRAP_DIR").expect("set by `privately`");
    PathBuf::from(directory).join(name_of_file(name))
}

impl Socket {
    fn declare(name: &str) -> Self {
        let file = file_of(name);
        let listener = bound(&file, SocketType::SEQPACKET);
        rustix::net::listen(&listener, 64).unwrap();
        let inode = std::fs::metadata(&file).unwrap().ino();
        Self { listener, file, inode }
    }

    /// Waits for a connection that nobody has taken, as systemd does while the service is not running.
    fn wait_for_client(&self) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let patience = Timespec::try_from(patience()).unwrap();
        let count = poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(count, 1, "nobody connected");
    }

    /// Takes the name out of the world: nobody may have removed its socket before.
    fn withdraw(self) {
        assert_eq!(std::fs::metadata(&self.file).expect("the socket's file").ino(), self.inode);
        std::fs::remove_file(&self.file).unwrap();
        // A host that was killed leaves the file of its lock.
        let _ = std::fs::remove_file(self.file.with_extension("declared"));
    }
}

fn bound(file: &std::path::Path, kind: SocketType) -> OwnedFd {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(file).unwrap()).unwrap();
    socket
}

/// Starts the test `entry` in `role` with descriptors 3 and 4 handed down under these names. It gets the environment from a shell, which alone
/// knows the process id before the program runs.
fn activate(entry: &str, role: &str, socket: impl AsFd, names: &str) -> Second {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec 3</dev/null 4<&2 2>&1; LISTEN_PID=${PID:-$$} exec "$@""#, "sh"]);
    shell.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", OsStr::new(names));
    shell.stderr(Stdio::from(socket.as_fd().try_clone_to_owned().unwrap()));
    Second::start_under(&mut shell, entry, role)
}

fn receive(port: &ReceiveRight<u64>) -> u64 {
    port.receive(&mut MessageBuffer::new(), soon()).unwrap().decode::<u64>().unwrap()
}

#[test]
fn messages_wait_while_nothing_runs() {
    const TEST: &str = "messages_wait_while_nothing_runs";
    if role().is_some() {
        end_with_parent();
        let port = bootstrap::check_in::<u64>(NAME).unwrap();
        loop {
            tell(&receive(&port).to_string());
        }
    }
    privately(TEST, || {
        let socket = Socket::declare(NAME);
        let right = bootstrap::look_up::<u64>(NAME).unwrap();
        // The same right, although no owner has said so.
        assert_eq!(bootstrap::look_up::<u64>(NAME).unwrap().name(), right.name());
        for number in 1..=5 {
            send(&right, &number).unwrap();
        }
        // The queue of a port takes five, and nobody empties it.
        let full = machipc::port::Outgoing::message(&mut MessageBuffer::new(), &6_u64)
            .unwrap()
            .copy_send(&right)
            .send(Deadline::after(Duration::from_millis(20)))
            .unwrap_err();
        assert!(full.is_timed_out(), "{full}");
        socket.wait_for_client();
        let mut host = activate(TEST, "host", &socket.listener, &format!("other:{NAME}"));
        for number in 1..=5_u64 {
            assert_eq!(host.told(), number.to_string());
        }
        send(&right, &6).unwrap();
        assert_eq!(host.told(), "6");
        // By the right that the owner gives, which is the same.
        assert_eq!(bootstrap::look_up::<u64>(NAME).unwrap().name(), right.name());
        for round in 0..20_u64 {
            host.kill();
            // Some go down the link to the dead host, and are sent again.
            for number in 1..=3 {
                send(&right, &(round * 10 + number)).unwrap();
            }
            assert!(!right.is_dead());
            socket.wait_for_client();
            host = activate(TEST, "host", &socket.listener, &format!("other:{NAME}"));
            for number in 1..=3 {
                assert_eq!(host.told(), (round * 10 + number).to_string());
            }
        }
        drop(host);
        socket.withdraw();
    });
}

#[machipc::endpoint("com.example.declared.squares")]
enum Squares {
    Of { number: u64, reply: Reply<u64> },
    Never { reply: Reply<u64> },
}

#[test]
fn a_call_starts_the_host() {
    const TEST: &str = "a_call_starts_the_host";
    const NAME: &str = "com.example.declared.squares";
    if role().is_some() {
        end_with_parent();
        let held = std::sync::Mutex::new(Vec::new());
        let handler = move |message: Squares, _: &Context| match message {
            Squares::Of { number, reply } => reply.send(number * number).unwrap(),
            Squares::Never { reply } => {
                held.lock().unwrap().push(reply);
                tell("kept");
            }
        };
        Host::<Squares>::builder().run(handler).unwrap();
        return;
    }
    privately(TEST, || {
        let socket = Socket::declare(NAME);
        let client = SquaresClient::connect().unwrap();
        let mut host = std::thread::scope(|scope| {
            let call = scope.spawn(|| client.of(12));
            socket.wait_for_client();
            let host = activate(TEST, "host", &socket.listener, &format!("x:{NAME}"));
            assert_eq!(call.join().unwrap().unwrap(), 144);
            host
        });
        // A call in the hands of a host that dies is not repeated; the client stays good.
        std::thread::scope(|scope| {
            let call = scope.spawn(|| client.never());
            assert_eq!(host.told(), "kept");
            host.kill();
            let error = call.join().unwrap().unwrap_err();
            assert!(matches!(error, Error::ReplyDropped { .. } | Error::HostDied { .. }), "{error:?}");
        });
        let _next = std::thread::scope(|scope| {
            let call = scope.spawn(|| client.of(13));
            socket.wait_for_client();
            let host = activate(TEST, "host", &socket.listener, &format!("x:{NAME}"));
            assert_eq!(call.join().unwrap().unwrap(), 169);
            host
        });
        let other: Client<Squares> = Client::connect_to(NAME).unwrap();
        drop((other, client, _next));
        socket.withdraw();
    });
}

#[test]
fn a_shutdown_leaves_the_queue() {
    const TEST: &str = "a_shutdown_leaves_the_queue";
    const NAME: &str = "com.example.notes";
    if role().is_some() {
        // The first message ends this host, while others are in the queue.
        let handler = |number: u64, cx: &Context| {
            tell(&number.to_string());
            if number == 1 {
                wait_for_word();
                cx.shutdown(patience());
            }
        };
        let stats = Host::<u64>::builder().name(NAME).run(handler).unwrap();
        return tell(&format!("handled {}, left {}", stats.handled, stats.left));
    }
    privately(TEST, || {
        let socket = Socket::declare(NAME);
        let client = Client::<u64>::connect_to(NAME).unwrap();
        client.send(1).unwrap();
        socket.wait_for_client();
        let mut host = activate(TEST, "host", &socket.listener, &format!("x:{NAME}"));
        assert_eq!(host.told(), "1");
        (2..=9).for_each(|number| client.send(number).unwrap());
        host.say("go on");
        assert_eq!(host.told(), "handled 1, left 8");
        assert!(host.finish().success());
        let mut next = activate(TEST, "host", &socket.listener, &format!("x:{NAME}"));
        client.send(10).unwrap();
        for number in 2..=10 {
            assert_eq!(next.told(), number.to_string());
        }
        drop((next, client));
        socket.withdraw();
    });
}

/// The unit in `examples/systemd` says where clients look.
#[test]
fn the_example_is_right() {
    let unit = include_str!("../examples/systemd/com.example.kv.socket");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).expect("a setting");
    let file = name_of_file(value("FileDescriptorName="));
    assert_eq!(value("ListenSequentialPacket="), format!("%t/machipc/{file}"));
}

#[test]
fn what_is_handed_down_is_checked() {
    const TEST: &str = "what_is_handed_down_is_checked";
    if let Some(role) = role() {
        let taken = bootstrap::check_in::<u64>(NAME);
        match role[0].as_str() {
            "fits" => {
                let port = taken.unwrap();
                for fd in 3..=4 {
                    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
                    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
                    let flags = u32::from_str_radix(flags, 8).unwrap();
                    assert_ne!(flags & 0o2_000_000, 0, "{fd} is close-on-exec");
                }
                assert!(std::env::var_os("LISTEN_FDS").is_some(), "the environment is the program's");
                let again = bootstrap::check_in::<u64>(NAME).unwrap_err();
                assert!(again.mach().unwrap().is_name_taken());
                // Given up, the name can be taken anew; what was handed down is still there.
                drop(port);
                bootstrap::check_in::<u64>(NAME).unwrap();
            }
            _ => {
                let error = taken.unwrap_err();
                assert_eq!(error.mach().unwrap().code(), machipc::mach::BOOTSTRAP_NOT_PRIVILEGED, "{error}");
            }
        }
        return tell("as expected");
    }
    privately(TEST, || {
        let socket = Socket::declare(NAME);
        let names = format!("other:{NAME}");
        let expect = |mut second: Second| {
            assert_eq!(second.told(), "as expected");
            assert!(second.finish().success());
        };
        expect(activate(TEST, "fits", &socket.listener, &names));
        // Each of these is what a socket unit can get wrong.
        let directory = own_directory();
        let deaf = bound(&directory.join("deaf"), SocketType::SEQPACKET);
        expect(activate(TEST, "does not listen", &deaf, &names));
        let stream = bound(&directory.join("stream"), SocketType::STREAM);
        rustix::net::listen(&stream, 1).unwrap();
        expect(activate(TEST, "of another kind", &stream, &names));
        let elsewhere = bound(&directory.join("elsewhere"), SocketType::SEQPACKET);
        rustix::net::listen(&elsewhere, 1).unwrap();
        expect(activate(TEST, "where nobody looks", &elsewhere, &names));
        expect(activate(TEST, "no socket", std::fs::File::open("/dev/null").unwrap(), &names));
        // Handed to this process under another name, or to another process: then the name is declared for somebody else.
        expect(activate(TEST, "another name", &socket.listener, "a:b"));
        expect(Second::start(TEST, "by hand"));
        socket.withdraw();
    });
}
