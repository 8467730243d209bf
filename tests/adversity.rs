//! What the system denies a process, or does to it in the middle of a call: no descriptors left, a call that is not there, signals, other threads that take a name
//! away, a program that takes the place of this one.
#![cfg(target_os = "linux")] // limits and /proc

mod endurance_support;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use endurance_support::*;
use machipc::mach::{self, mach_msg_header_t, mach_msg_option_t, mach_msg_return_t, mach_port_name_t};
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, SendRight, Waiting, bootstrap};
use machipc::{Context, Host, OolBuffer};

/// Not a test of its own: the other processes.
#[test]
fn part() {
    let Some(role) = role() else { return };
    match role[0].as_str() {
        // Sends memory that grows, as long as it is wanted.
        "sender" => {
            let to = bootstrap::look_up::<OolBuffer>(&role[1]).expect("the receiver is there");
            end_with_parent();
            tell("connected");
            for size in 1.. {
                let mut memory = OolBuffer::new(size * 4096 % 100_000 + 1).expect("memory");
                memory.as_mut_slice().fill(size as u8);
                if send(&to, &memory).is_err() {
                    return;
                }
            }
        }
        "client" => {
            tell("waits");
            wait_for_word();
            let outcome = bootstrap::look_up::<OolBuffer>(&role[1]);
            tell(if outcome.is_ok() { "connected" } else { "refused" });
            wait_for_end_of_input();
        }
        // Sends a little memory for each word.
        "obedient" => {
            let to = bootstrap::look_up::<OolBuffer>(&role[1]).expect("the receiver is there");
            tell("connected");
            loop {
                wait_for_word();
                send(&to, &OolBuffer::new(10).expect("memory")).expect("there is room");
            }
        }
        // Sends what goes as a file for each word, and a moment later what does not.
        "twice" => {
            let to = bootstrap::look_up::<OolBuffer>(&role[1]).expect("the receiver is there");
            tell("connected");
            loop {
                wait_for_word();
                for len in [20_000, 10] {
                    send(&to, &OolBuffer::new(len).expect("memory")).expect("there is room");
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        // Looks up what a process has that it cannot see, and has something itself.
        "unseen" => {
            let outcome = bootstrap::look_up::<u64>(&role[1]);
            let _port = bootstrap::check_in::<u64>(&role[2]).expect("the name is free");
            tell(if is_refused(outcome) { "refused" } else { "let in" });
            wait_for_end_of_input();
        }
        "open" => tell(&descriptors().join("|")),
        "confined" => without_memory(),
        other => panic!("no role {other}"),
    }
}

// ---- Namespaces

fn is_refused<M>(found: Result<SendRight<M>, bootstrap::BootstrapError>) -> bool {
    let code = found.err().and_then(|error| error.mach()).map(|error| error.code());
    code == Some(mach::BOOTSTRAP_NOT_PRIVILEGED)
}

#[test]
fn nobody_is_let_in_whose_process_id_the_system_cannot_tell() {
    privately("nobody_is_let_in_whose_process_id_the_system_cannot_tell", || {
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--mount-proc", "--"]);
            command
        };
        if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
            return eprintln!("not tested: it needs unshare(1) and the right to make a pid namespace");
        }
        let _port = bootstrap::check_in::<u64>("outside").expect("the name is free");
        let mut inside = Second::start_under(&mut unshare(), "part", "unseen outside inside");
        assert_eq!(inside.told(), "refused");
        assert!(is_refused(bootstrap::look_up::<u64>("inside")));
        assert!(inside.finish().success());
    });
}

// ---- Memory

/// In a process of its own, for the limit holds for all of it.
fn without_memory() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let port = ReceiveRight::<&[u8]>::new().expect("a port");
    let (right, large) = (port.make_send_once().expect("a right"), vec![7_u8; 64 << 20]);
    let bytes = large.as_slice();
    let mut buffer = MessageBuffer::new();
    let mut attempt = || {
        let message = Outgoing::message(&mut buffer, &bytes).expect("bytes");
        message.move_send_once(&right).send(Deadline::now())
    };
    let before = getrlimit(Resource::As);
    let pages = std::fs::read_to_string("/proc/self/statm").expect("own size");
    let pages: u64 = pages.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number");
    let little = Rlimit { current: Some(pages * 4096 + (8 << 20)), maximum: before.maximum };
    setrlimit(Resource::As, little).expect("a lower limit");
    let failed = attempt().expect_err("there is no memory");
    setrlimit(Resource::As, before).expect("the limit of before");
    assert_eq!(failed.code() & !0x3c00, mach::MACH_SEND_NO_BUFFER, "{failed}");
    assert_ne!(right.name(), 0, "the right is back");
    attempt().expect("there is memory");
    let received = port.receive(&mut buffer, Deadline::now()).expect("the message");
    assert_eq!(received.decode::<&[u8]>().expect("bytes"), large);
    tell("whole");
}

#[test]
fn a_message_for_which_there_is_no_memory_keeps_its_rights() {
    let mut other = Second::start("part", "confined");
    assert_eq!(other.told(), "whole");
}

// ---- Descriptors

fn set_descriptor_limit(limit: Option<u64>) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: before.maximum }).expect("a lower limit");
    before.current
}

#[test]
fn without_descriptors_one_call_fails_and_the_rest_goes_on() {
    privately("without_descriptors_one_call_fails_and_the_rest_goes_on", || {
        let port = bootstrap::check_in::<OolBuffer>("full").expect("the name is free");
        let mut sender = Second::start("part", "sender full");
        assert_eq!(sender.told(), "connected");
        let clients = ["client full", "client full"].map(|role| {
            let mut client = Second::start("part", role);
            assert_eq!(client.told(), "waits");
            client
        });
        let [mut early, mut late] = clients;
        let mut buffer = MessageBuffer::new();
        // How many of so many messages came without their memory.
        let mut take = |count: usize| -> usize {
            let mut lost = 0;
            for _ in 0..count {
                match port.receive(&mut buffer, soon()) {
                    Ok(received) => {
                        let mut memory = received.decode::<OolBuffer>().expect("whole memory");
                        assert!(memory.as_mut_slice().windows(2).all(|two| two[0] == two[1]), "mixed bytes");
                    }
                    Err(error) => {
                        assert_eq!(error.code() & !0x3c00, mach::MACH_RCV_BODY_ERROR, "{error}");
                        lost += 1;
                    }
                }
            }
            lost
        };
        assert_eq!(take(100), 0);

        let usual = set_descriptor_limit(Some(descriptors().len() as u64 + 8));
        let mut taken = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            taken.push(file);
        }
        let bound = Host::<String>::builder().name("another").bind(|_: String, _: &Context| {});
        assert!(bound.is_err(), "a name needs a descriptor");
        assert!(bootstrap::look_up::<()>("nobody's").is_err());
        early.say("now");
        assert_eq!(early.told(), "refused");
        // Memory that comes as a file finds no descriptor, and its receiver is told; what is small comes all the same.
        let lost = take(2000);
        assert!(lost > 0 && lost < 2000, "{lost} of 2000 came without memory");
        let own = ReceiveRight::<OolBuffer>::new().expect("a port");
        let to = own.make_send().expect("a right");
        send(&to, &OolBuffer::new(100_000).expect("memory")).expect("an empty queue");

        drop(taken);
        set_descriptor_limit(usual);
        // What was on its way meanwhile may still have come without.
        until("memory comes again", || take(100) == 0);
        late.say("now");
        assert_eq!(late.told(), "connected");
    });
}

// ---- Calls of the system

/// Has the system know nothing of a call any more, in this thread and those that it starts, and in their children.
fn without_call(number: u32) {
    #[repr(C)]
    struct Instruction(u16, u8, u8, u32);
    #[repr(C)]
    struct Program(u16, *const Instruction);
    unsafe extern "C" {
        fn prctl(option: i32, one: usize, two: usize, three: usize, four: usize) -> i32;
    }
    const PR_SET_SECCOMP: i32 = 22;
    const PR_SET_NO_NEW_PRIVS: i32 = 38;
    const SECCOMP_MODE_FILTER: usize = 2;
    const ENOSYS: u32 = 38;
    let instructions = [
        Instruction(0x20, 0, 0, 0),                    // load the call's number
        Instruction(0x15, 0, 1, number),               // is it this one?
        Instruction(0x06, 0, 0, 0x0005_0000 | ENOSYS), // refuse it
        Instruction(0x06, 0, 0, 0x7fff_0000),          // allow it
    ];
    let program = Program(instructions.len() as u16, instructions.as_ptr());
    // SAFETY: it changes what this process may do, and touches no memory.
    assert_eq!(unsafe { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    let program = (&raw const program).expose_provenance();
    // SAFETY: the program and its instructions live until the call returns.
    assert_eq!(unsafe { prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) }, 0);
}

/// Where a leader sleeps on the words of its links it has to do without them on an older system.
#[test]
fn messages_wake_who_sleeps_where_no_thread_can_sleep_on_several_words() {
    privately("messages_wake_who_sleeps_where_no_thread_can_sleep_on_several_words", || {
        const FUTEX_WAITV: u32 = 449;
        without_call(FUTEX_WAITV);
        Waiting::Sleep.set();
        let port = bootstrap::check_in::<OolBuffer>("old").expect("the name is free");
        let mut peer = Second::start("part", "obedient old");
        assert_eq!(peer.told(), "connected");
        let mut buffer = MessageBuffer::new();
        for _ in 0..20 {
            peer.say("now");
            let received = port.receive(&mut buffer, soon()).expect("a message");
            assert_eq!(received.decode::<OolBuffer>().expect("whole memory").len(), 10);
        }
    });
}

/// A receive that does not wait may find a message whose sender has just rung, and read the bell along with the message's descriptor. The next
/// message's sender does not ring again.
#[test]
fn who_reads_a_bell_along_with_descriptors_is_woken_by_the_next_message() {
    privately("who_reads_a_bell_along_with_descriptors_is_woken_by_the_next_message", || {
        const FUTEX_WAITV: u32 = 449;
        without_call(FUTEX_WAITV);
        Waiting::Sleep.set();
        let port = bootstrap::check_in::<OolBuffer>("bell").expect("the name is free");
        let mut peer = Second::start("part", "twice bell");
        assert_eq!(peer.told(), "connected");
        let mut buffer = MessageBuffer::new();
        for _ in 0..20 {
            // Its sleep has the peer ring for the next message.
            let asleep = port.receive(&mut buffer, Deadline::after(Duration::from_millis(5)));
            assert!(asleep.is_err_and(|error| error.is_timed_out()));
            peer.say("now");
            let mut looks = 0_u64;
            while port.receive(&mut buffer, Deadline::now()).is_err() {
                looks += 1;
                // Longer than it takes from the descriptor to the bell.
                (0..1 << 6).for_each(|_| std::hint::spin_loop());
                assert!(looks < 1 << 20, "the first one does not come");
            }
            port.receive(&mut buffer, soon()).expect("the second one wakes");
        }
    });
}

// ---- Signals

mod signals {
    use super::*;

    const SIGUSR1: i32 = 10;

    unsafe extern "C" {
        fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
        fn siginterrupt(number: i32, interrupts: i32) -> i32;
        fn pthread_self() -> usize;
        fn pthread_kill(thread: usize, number: i32) -> i32;
    }

    static CAUGHT: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn caught(_: i32) {
        CAUGHT.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs `call` in a thread that gets signals until it returns, and `meanwhile` once it has had some.
    pub fn under_signals<R: Send>(call: impl FnOnce() -> R + Send, meanwhile: impl FnOnce()) -> R {
        // SAFETY: the handler touches an atomic and nothing else.
        unsafe { signal(SIGUSR1, caught) };
        // SAFETY: it has no preconditions.
        assert_eq!(unsafe { siginterrupt(SIGUSR1, 1) }, 0);
        let thread = AtomicUsize::new(0);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let called = scope.spawn(|| {
                // SAFETY: it has no preconditions.
                thread.store(unsafe { pthread_self() }, Ordering::SeqCst);
                let result = call();
                done.store(true, Ordering::SeqCst);
                // Until nobody sends it signals any more.
                while thread.load(Ordering::SeqCst) != 0 {
                    std::thread::yield_now();
                }
                result
            });
            let mut meanwhile = Some(meanwhile);
            let before = CAUGHT.load(Ordering::Relaxed);
            until("the call returns", || {
                if done.load(Ordering::SeqCst) {
                    return true;
                }
                let target = thread.load(Ordering::SeqCst);
                if target != 0 {
                    // SAFETY: the thread lives until `thread` is 0.
                    assert_eq!(unsafe { pthread_kill(target, SIGUSR1) }, 0);
                }
                if CAUGHT.load(Ordering::Relaxed) > before + 20
                    && let Some(meanwhile) = meanwhile.take()
                {
                    meanwhile();
                }
                false
            });
            thread.store(0, Ordering::SeqCst);
            called.join().expect("the call does not panic")
        })
    }
}

/// A header with room for what a receive adds, and a call with it.
fn message(
    remote: mach_port_name_t,
    receive: mach_port_name_t,
    option: mach_msg_option_t,
) -> mach_msg_return_t {
    let mut buffer = [mach_msg_header_t::default(); 8];
    buffer[0].msgh_bits = mach::MACH_MSGH_BITS(mach::MACH_MSG_TYPE_MAKE_SEND, 0);
    buffer[0].msgh_remote_port = remote;
    let sends = option & mach::MACH_SEND_MSG != 0;
    // SAFETY: the buffer is writable for as many bytes as are told, and a header is a whole message.
    let code = unsafe {
        mach::mach_msg(
            buffer.as_mut_ptr(),
            option,
            if sends { size_of::<mach_msg_header_t>() as u32 } else { 0 },
            if sends { 0 } else { size_of_val(&buffer) as u32 },
            receive,
            mach::MACH_MSG_TIMEOUT_NONE,
            mach::MACH_PORT_NULL,
        )
    };
    if code == mach::MACH_SEND_INTERRUPTED {
        // The right came back with the message.
        assert_eq!(mach::mach_port_deallocate(mach::mach_task_self(), buffer[0].msgh_remote_port), 0);
    }
    code
}

/// Once while the thread sleeps alone, and once while it watches a link.
fn alone_and_linked(test: &'static str, body: impl Fn()) {
    privately(test, || {
        body();
        let port = bootstrap::check_in::<OolBuffer>("linked").expect("the name is free");
        let mut client = Second::start("part", "client linked");
        assert_eq!(client.told(), "waits");
        client.say("now");
        assert_eq!(client.told(), "connected");
        body();
        drop(port);
    });
}

#[test]
fn a_signal_ends_a_receive_that_may_be_interrupted_and_no_other() {
    alone_and_linked("a_signal_ends_a_receive_that_may_be_interrupted_and_no_other", || {
        let port = ReceiveRight::<()>::new().expect("a port");
        let name = port.name();
        let receive = |more| move || message(0, name, mach::MACH_RCV_MSG | more);
        let code = signals::under_signals(receive(mach::MACH_RCV_INTERRUPT), || {});
        assert_eq!(code, mach::MACH_RCV_INTERRUPTED);
        let to = port.make_send().expect("a right");
        let code = signals::under_signals(receive(0), || send(&to, &()).expect("an empty queue"));
        assert_eq!(code, mach::MACH_MSG_SUCCESS);
    });
}

#[test]
fn a_signal_ends_a_send_that_may_be_interrupted_and_no_other() {
    alone_and_linked("a_signal_ends_a_send_that_may_be_interrupted_and_no_other", || {
        let port = ReceiveRight::<()>::new().expect("a port");
        port.set_queue_limit(1).expect("own port");
        let name = port.name();
        let send = |more| move || message(name, 0, mach::MACH_SEND_MSG | more);
        assert_eq!(send(0)(), mach::MACH_MSG_SUCCESS);
        let code = signals::under_signals(send(mach::MACH_SEND_INTERRUPT), || {});
        assert_eq!(code, mach::MACH_SEND_INTERRUPTED);
        assert_eq!(port.queued().expect("own port"), 1);
        let mut buffer = MessageBuffer::new();
        let code = signals::under_signals(send(0), || {
            port.receive(&mut buffer, soon()).expect("a message");
        });
        assert_eq!(code, mach::MACH_MSG_SUCCESS);
        assert_eq!(port.queued().expect("own port"), 1);
    });
}

// ---- Other programs

#[test]
fn another_program_inherits_nothing() {
    privately("another_program_inherits_nothing", || {
        let port = bootstrap::check_in::<OolBuffer>("open").expect("the name is free");
        let mut sender = Second::start("part", "sender open");
        assert_eq!(sender.told(), "connected");
        let mut buffer = MessageBuffer::new();
        // Memory that came as a file is held meanwhile.
        let received: Vec<_> = (0..30)
            .map(|_| {
                let received = port.receive(&mut buffer, soon()).expect("a message");
                received.decode::<OolBuffer>().expect("whole memory")
            })
            .collect();
        assert!(received.iter().any(|memory| memory.len() > 65_536));
        let mut other = Second::start("part", "open");
        let open = other.told();
        // Names, links, their memory, and what polls them.
        assert!(descriptors().iter().any(|open| open.contains("socket:")), "a link has a socket");
        for kind in ["socket:", "memfd:", "anon_inode:", ".lock"] {
            assert!(!open.contains(kind), "{open}");
        }
    });
}

// ---- Threads

#[test]
fn a_name_that_another_thread_takes_away_is_an_error_and_nothing_else() {
    const THREADS: u64 = 4;
    let task = mach::mach_task_self();
    let shared: Arc<[AtomicUsize]> = (0..8).map(|_| AtomicUsize::new(0)).collect();
    let threads: Vec<_> = (0..THREADS)
        .map(|seed| {
            let shared = shared.clone();
            std::thread::spawn(move || {
                let mut random = Random::new(seed + 1);
                for _ in 0..rounds(20_000) {
                    let slot = &shared[random.below(8) as usize];
                    let name = slot.load(Ordering::Relaxed) as mach_port_name_t;
                    match random.below(8) {
                        0 => {
                            let fresh = ReceiveRight::<()>::new().expect("a port").into_raw();
                            let old = slot.swap(fresh as usize, Ordering::Relaxed) as mach_port_name_t;
                            let code = mach::mach_port_destroy(task, old);
                            // Another may have destroyed it, and nobody else's name may have come in its place.
                            assert!(matches!(code, mach::KERN_SUCCESS | mach::KERN_INVALID_NAME), "{code}");
                        }
                        1 => drop(mach::mach_port_destroy(task, name)),
                        2..5 if name != 0 => {
                            let code = message(name, 0, mach::MACH_SEND_MSG | mach::MACH_SEND_TIMEOUT);
                            let expected = [
                                mach::MACH_MSG_SUCCESS,
                                mach::MACH_SEND_TIMED_OUT,
                                mach::MACH_SEND_INVALID_DEST,
                            ];
                            assert!(expected.contains(&code), "{code:#x}");
                            if code == mach::MACH_SEND_TIMED_OUT {
                                let _ = mach::mach_port_mod_refs(task, name, mach::MACH_PORT_RIGHT_SEND, -1);
                            }
                        }
                        _ if name != 0 => {
                            let code = message(0, name, mach::MACH_RCV_MSG | mach::MACH_RCV_TIMEOUT);
                            let expected = [
                                mach::MACH_MSG_SUCCESS,
                                mach::MACH_RCV_TIMED_OUT,
                                mach::MACH_RCV_INVALID_NAME,
                                mach::MACH_RCV_PORT_CHANGED,
                            ];
                            assert!(expected.contains(&code), "{code:#x}");
                        }
                        _ => {}
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panics");
    }
    for slot in shared.iter() {
        let _ = mach::mach_port_destroy(task, slot.load(Ordering::Relaxed) as mach_port_name_t);
    }
}
