//! Descriptors that tell of messages: polled, while no thread of this process waits in `mach_msg`.

mod port_support;

use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use machipc::mach;
use machipc::message::MachMessage;
use machipc::port::{
    Deadline, MessageBuffer, Outgoing, PortSet, Readiness, ReceiveRight, SendRight, bootstrap,
};
use port_support::*;

const SERVICE: &str = "MACHIPC_READINESS_TEST_SERVICE";
const ROUNDS: u32 = 300;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn send<M: MachMessage>(to: &SendRight<M>, message: &M) {
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, message).unwrap().copy_send(to).send(soon()).unwrap();
}

/// Takes the next number, without waiting; `None` where there is none.
fn take(port: &ReceiveRight<u32>) -> Option<u32> {
    let mut buffer = MessageBuffer::new();
    match port.receive(&mut buffer, Deadline::now()) {
        Ok(received) => Some(received.decode::<u32>().unwrap()),
        Err(error) if error.is_timed_out() => None,
        Err(error) => panic!("{error}"),
    }
}

/// Waits for the next number as a program would that waits for files too.
fn await_number(port: &ReceiveRight<u32>, readiness: &Readiness) -> u32 {
    loop {
        if let Some(number) = take(port) {
            return number;
        }
        if !readiness.is_ready().unwrap() {
            assert!(poll(readiness, Some(60)), "nothing came in a minute");
        }
    }
}

#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

/// `poll(2)` for so many seconds, or without waiting: whether the descriptor is readable.
fn poll(readiness: &Readiness, seconds: Option<i32>) -> bool {
    #[cfg(target_vendor = "apple")]
    type Count = u32;
    #[cfg(not(target_vendor = "apple"))]
    type Count = std::ffi::c_ulong;
    // SAFETY: the signature is POSIX's.
    unsafe extern "C" {
        #[link_name = "poll"]
        fn wait(fds: *mut PollFd, count: Count, milliseconds: i32) -> i32;
    }
    const POLLIN: i16 = 1;
    let mut fds = PollFd { fd: readiness.as_raw_fd(), events: POLLIN, revents: 0 };
    // SAFETY: one descriptor to read and write.
    match unsafe { wait(&mut fds, 1, seconds.map_or(0, |seconds| seconds * 1000)) } {
        0 => false,
        1 => {
            assert_eq!(fds.revents, POLLIN);
            true
        }
        _ => panic!("poll: {}", std::io::Error::last_os_error()),
    }
}

/// Readable, and rightly so.
fn assert_ready(readiness: &Readiness) {
    assert!(poll(readiness, None) && readiness.is_ready().unwrap() && poll(readiness, None));
}

/// Not readable, at the latest once that was asked.
fn assert_idle(readiness: &Readiness) {
    assert!(!readiness.is_ready().unwrap());
    assert!(!poll(readiness, None));
}

#[test]
fn a_port_is_ready_while_a_message_waits() {
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    send(&to, &1);
    let readiness = Readiness::new(&port).unwrap();
    assert_ready(&readiness);
    send(&to, &2);
    assert_eq!(take(&port), Some(1));
    assert_ready(&readiness);
    assert_eq!(take(&port), Some(2));
    assert_idle(&readiness);
    assert_eq!(take(&port), None);
    assert_idle(&readiness);
    send(&to, &3);
    assert_ready(&readiness);
    // What does not fit stays, and is still there to be received.
    let mut small = [0_u32; 8];
    // SAFETY: the buffer is as long as told.
    let code = unsafe {
        mach::mach_msg(
            small.as_mut_ptr().cast(),
            mach::MACH_RCV_MSG | mach::MACH_RCV_LARGE | mach::MACH_RCV_TIMEOUT,
            0,
            32,
            port.name(),
            0,
            mach::MACH_PORT_NULL,
        )
    };
    assert_eq!(code, mach::MACH_RCV_TOO_LARGE);
    assert_ready(&readiness);
    assert_eq!(take(&port), Some(3));
    assert_idle(&readiness);
}

#[test]
fn a_thread_asleep_in_a_poll_wakes_up() {
    ends(|| {
        let port = ReceiveRight::<u32>::new().unwrap();
        let to = port.make_send().unwrap();
        let readiness = Readiness::new(&port).unwrap();
        std::thread::scope(|scope| {
            scope
                .spawn(|| (0..ROUNDS).for_each(|number| assert_eq!(await_number(&port, &readiness), number)));
            (0..ROUNDS).for_each(|number| send(&to, &number));
        });
        assert_idle(&readiness);
    });
}

#[test]
fn no_message_of_several_senders_is_slept_through() {
    const SENDERS: u32 = 3;
    const MESSAGES: u32 = 3_000;
    ends(|| {
        let port = ReceiveRight::<u32>::new().unwrap();
        let readiness = Readiness::new(&port).unwrap();
        let rights: Vec<_> = (0..SENDERS).map(|_| port.make_send().unwrap()).collect();
        std::thread::scope(|scope| {
            for to in &rights {
                scope.spawn(move || (0..MESSAGES).for_each(|number| send(to, &number)));
            }
            let sum: u64 = (0..SENDERS * MESSAGES).map(|_| u64::from(await_number(&port, &readiness))).sum();
            assert_eq!(sum, u64::from(SENDERS) * u64::from(MESSAGES) * u64::from(MESSAGES - 1) / 2);
        });
        assert_idle(&readiness);
    });
}

#[test]
fn a_set_is_ready_for_members_of_every_age() {
    let (early, late) = (ReceiveRight::<u32>::new().unwrap(), ReceiveRight::<u32>::new().unwrap());
    let (to_early, to_late) = (early.make_send().unwrap(), late.make_send().unwrap());
    let set = PortSet::new().unwrap();
    set.insert(&early).unwrap();
    let readiness = Readiness::new(&set).unwrap();
    assert_idle(&readiness);
    send(&to_late, &1);
    assert_idle(&readiness);
    set.insert(&late).unwrap();
    assert_ready(&readiness);
    set.remove(&late).unwrap();
    assert_idle(&readiness);
    set.insert(&late).unwrap();
    send(&to_early, &2);
    assert_eq!((take(&late), poll(&readiness, None)), (Some(1), true));
    let mut buffer = MessageBuffer::new();
    assert_eq!(set.receive(&mut buffer, Deadline::now()).unwrap().port(), early.name());
    assert_idle(&readiness);
    send(&to_late, &3);
    assert_ready(&readiness);
    drop(late);
    assert_idle(&readiness);
    drop(set);
    assert!(poll(&readiness, None) && readiness.is_ready().unwrap());
}

#[test]
fn a_port_that_dies_or_moves_away_is_told() {
    let port = ReceiveRight::<u32>::new().unwrap();
    let readiness = Readiness::new(&port).unwrap();
    assert_idle(&readiness);
    drop(port);
    assert!(poll(&readiness, None) && readiness.is_ready().unwrap());

    let port = ReceiveRight::<u32>::new().unwrap();
    let readiness = Readiness::new(&port).unwrap();
    let post = ReceiveRight::<ReceiveRight<u32>>::new().unwrap();
    send(&post.make_send().unwrap(), &port);
    assert!(poll(&readiness, None) && readiness.is_ready().unwrap());
    // Where it arrives it can be watched anew.
    let mut buffer = MessageBuffer::new();
    let moved = post.receive(&mut buffer, soon()).unwrap().decode::<ReceiveRight<u32>>().unwrap();
    let readiness = Readiness::new(&moved).unwrap();
    assert_idle(&readiness);
    send(&moved.make_send().unwrap(), &7);
    assert_ready(&readiness);
    assert!(
        Readiness::new(&port).unwrap_err().to_string().contains("readiness_open"),
        "it has no name any more"
    );
}

#[test]
fn what_cannot_be_received_from_is_refused() {
    let port = ReceiveRight::<u32>::new().unwrap();
    let right = port.make_send_once().unwrap();
    for (name, code) in [(right.name(), mach::KERN_INVALID_RIGHT), (0x00ff_ff03, mach::KERN_INVALID_NAME)] {
        let mut descriptor = -1;
        // SAFETY: `descriptor` is valid for one write.
        assert_eq!(unsafe { mach::readiness_open(name, &mut descriptor) }, code, "{name:#x}");
        assert_eq!(descriptor, -1);
    }
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let mut ready = false;
    // SAFETY: `ready` is valid for one write; on a file the call fails.
    let code = unsafe { mach::readiness_check(file.as_raw_fd(), &mut ready) };
    assert_eq!(code, mach::KERN_INVALID_ARGUMENT);
}

#[test]
fn several_watch_one_port_and_leave_nothing_behind() {
    let _alone = alone();
    let open = || std::fs::read_dir("/dev/fd").unwrap().count();
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    let before = open();
    for _ in 0..50 {
        let one = Readiness::new(&port).unwrap();
        let other = Readiness::new(&port).unwrap();
        send(&to, &1);
        assert_ready(&one);
        drop(one);
        assert_ready(&other);
        assert_eq!(take(&port), Some(1));
        assert_idle(&other);
    }
    // Other tests of this program open and close some meanwhile.
    assert!(open() < before + 50, "{} descriptors, then {}", before, open());
}

/// The ports of the first process that the second sends to, and where it hears that a number came.
type Meeting = (SendRight<u32>, SendRight<u32>, ReceiveRight<u32>);

#[test]
fn messages_of_another_process_are_told_while_nobody_waits_in_mach_msg() {
    ends(|| {
        let name = format!("com.example.readiness.{}", std::process::id());
        let service = bootstrap::check_in::<SendRight<Meeting>>(&name).unwrap();
        let mut second = Command::new(std::env::current_exe().unwrap())
            .args(["the_second_process", "--exact", "--nocapture"])
            .env(SERVICE, &name)
            .spawn()
            .unwrap();
        let mut buffer = MessageBuffer::new();
        let meeting = service.receive(&mut buffer, soon()).unwrap().decode::<SendRight<Meeting>>().unwrap();

        let (polled, waited) = (ReceiveRight::<u32>::new().unwrap(), ReceiveRight::<u32>::new().unwrap());
        let heard = ReceiveRight::<u32>::new().unwrap();
        let to_second = heard.make_send().unwrap();
        let set = PortSet::new().unwrap();
        let readiness = Readiness::new(&set).unwrap();
        set.insert(&polled).unwrap();
        send(&meeting, &(polled.make_send().unwrap(), waited.make_send().unwrap(), heard));
        for round in 0..ROUNDS {
            assert_eq!(await_number(&polled, &readiness), round);
            send(&to_second, &round);
            // Now and then a thread waits in `mach_msg`, and leaves again before the next number comes.
            if round % 3 == 0 {
                let mut buffer = MessageBuffer::new();
                assert_eq!(waited.receive(&mut buffer, soon()).unwrap().decode::<u32>().unwrap(), round);
                send(&to_second, &round);
            }
        }
        assert_idle(&readiness);
        drop(to_second);
        assert!(second.wait().unwrap().success());
    });
}

/// Not a test of its own: what the second process runs.
#[test]
fn the_second_process() {
    let Ok(name) = std::env::var(SERVICE) else { return };
    let service = bootstrap::look_up::<SendRight<Meeting>>(&name).unwrap();
    let meeting = ReceiveRight::<Meeting>::new().unwrap();
    send(&service, &meeting.make_send().unwrap());
    let mut buffer = MessageBuffer::new();
    let (polled, waited, heard) = meeting.receive(&mut buffer, soon()).unwrap().decode::<Meeting>().unwrap();
    let hear = |round: u32| {
        let mut buffer = MessageBuffer::new();
        assert_eq!(heard.receive(&mut buffer, soon()).unwrap().decode::<u32>().unwrap(), round);
    };
    for round in 0..ROUNDS {
        send(&polled, &round);
        hear(round);
        if round % 3 == 0 {
            send(&waited, &round);
            hear(round);
        }
    }
}
