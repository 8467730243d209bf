//! A forked child begins with an empty task, and its parent's ports, names and death are not its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use machipc::mach;
use machipc::port::{Deadline, MessageBuffer, Outgoing, Readiness, ReceiveRight, bootstrap};
use machipc::{Client, ConnectOptions, Context, Error, Host, OolBuffer, Reply, Trust};

const ROLE: &str = "MACHIPC_TEST_FORK_ROLE";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
    fn pause() -> i32;
}

/// Runs `child` in a forked process and returns its exit code. The child runs nothing else.
fn in_forked_child(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child only makes calls that this library promises to work after a fork, and leaves by `_exit`.
    let pid = unsafe { fork() };
    if pid == 0 {
        let code = child();
        // SAFETY: ends the process without running what belongs to the parent.
        unsafe { _exit(code) };
    }
    assert!(pid > 0, "fork failed");
    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    assert_eq!(unsafe { waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status & 0x7f, 0, "the child was ended by signal {}", status & 0x7f);
    status >> 8
}

fn unique(name: &str) -> String {
    format!("com.example.fork.{name}.{}", std::process::id())
}

/// The thread that forks has sent so much within its process that it no longer asks the kernel for each message.
#[test]
fn a_child_does_not_send_to_its_parents_port() {
    const SENT: u64 = 1_000;
    let port = bootstrap::check_in::<u64>(&unique("busy")).expect("the name is free");
    port.set_queue_limit(1024).expect("own port");
    let right = port.make_send().expect("own port");
    let mut buffer = MessageBuffer::new();
    let mut send = |number: u64| {
        let message = Outgoing::message(&mut buffer, &number).expect("a number");
        message.copy_send(&right).send(Deadline::now())
    };
    for number in 0..SENT {
        send(number).expect("there is room");
    }
    let code = in_forked_child(|| match send(SENT) {
        Err(error) if error.is_dead_destination() => 0,
        Err(_) => 1,
        Ok(()) => 2,
    });
    assert_eq!(code, 0);
    let mut buffer = MessageBuffer::new();
    for expected in 0..SENT {
        let received = port.receive(&mut buffer, Deadline::now()).expect("a message");
        assert_eq!(received.decode::<u64>().expect("a number"), expected);
    }
    assert!(port.receive(&mut buffer, Deadline::now()).is_err());
}

#[test]
fn a_child_starts_empty_and_reaches_its_parent_by_name() {
    let name = unique("parent");
    let (tell, told) = std::sync::mpsc::channel();
    let host = Host::<String>::builder()
        .name(&name)
        .bind(move |message: String, cx: &Context| {
            let _ = tell.send((message, cx.peer().pid()));
        })
        .expect("the name is free");
    let mut port = 0;
    // SAFETY: `port` is valid for a write.
    let code =
        unsafe { mach::mach_port_allocate(mach::mach_task_self(), mach::MACH_PORT_RIGHT_RECEIVE, &mut port) };
    assert_eq!(code, mach::KERN_SUCCESS);

    let code = in_forked_child(|| {
        let mut kind = 0;
        // SAFETY: `kind` is valid for a write.
        if unsafe { mach::mach_port_type(mach::mach_task_self(), port, &mut kind) } != mach::KERN_INVALID_NAME
        {
            return 1;
        }
        let Ok(client) = Client::<String>::connect_to(&name) else { return 2 };
        if client.send("from the child".to_owned()).is_err() { 3 } else { 0 }
    });
    assert_eq!(code, 0);
    let (message, pid) = told.recv_timeout(std::time::Duration::from_secs(30)).expect("the child's message");
    assert_eq!(message, "from the child");
    assert_ne!(pid, std::process::id());

    // The parent has what it had: its port, and its name.
    let mut kind = 0;
    // SAFETY: `kind` is valid for a write.
    assert_eq!(unsafe { mach::mach_port_type(mach::mach_task_self(), port, &mut kind) }, mach::KERN_SUCCESS);
    assert_eq!(kind, mach::MACH_PORT_TYPE_RECEIVE);
    assert_eq!(mach::mach_port_destroy(mach::mach_task_self(), port), mach::KERN_SUCCESS);
    assert!(Client::<String>::connect_to(&name).is_ok());
    drop(host);
}

#[test]
fn a_childs_descriptors_are_not_its_parents() {
    let port = ReceiveRight::<()>::new().expect("a port");
    let [readiness, inherited] = [(); 2].map(|()| Readiness::new(&port).expect("a descriptor"));
    drop(port.make_send_once().expect("a right"));
    let code = in_forked_child(|| {
        if inherited.is_ready().is_ok() {
            return 1;
        }
        // It takes the number that the parent's descriptor has, which is none of the child's.
        let mine = loop {
            use std::os::fd::AsRawFd;
            let Ok(file) = std::fs::File::open("/dev/null") else { return 2 };
            match file.as_raw_fd() {
                fd if fd == inherited.as_raw_fd() => break file,
                fd if fd > inherited.as_raw_fd() => return 3,
                _ => std::mem::forget(file),
            }
        };
        drop(inherited);
        if mine.metadata().is_err() { 4 } else { 0 }
    });
    assert_eq!(code, 0);
    assert!(readiness.is_ready().expect("the parent's own"));
}

/// What waits for answers on behalf of futures is a thread, and a forked child has none of its parent's.
#[test]
fn a_child_waits_for_answers_of_its_own() {
    let name = unique("pending");
    let host = Host::<(u64, Reply<u64>)>::builder()
        .name(&name)
        .bind(|(number, reply): (u64, Reply<u64>), _: &Context| {
            if number != 0 {
                reply.send(number * 2).expect("the caller waits");
            } else {
                std::mem::forget(reply);
            }
        })
        .expect("the name is free");
    let client = Client::from_right(host.send_right().expect("a right"));
    let pending = client.start(|reply| (0, reply)).expect("a call under way");
    assert_eq!(client.start(|reply| (4, reply)).expect("a call").wait().expect("an answer"), 8);
    let code = in_forked_child(|| {
        let Ok(client) = Client::<(u64, Reply<u64>)>::connect_to(&name) else { return 1 };
        let calls = (1..100).map(|number| client.start(move |reply| (number, reply)));
        for (number, call) in (1..100).zip(calls) {
            let Ok(mut call) = call else { return 2 };
            match call.wait_timeout(PATIENCE) {
                Some(Ok(answer)) if answer == number * 2 => {}
                _ => return 3,
            }
        }
        0
    });
    assert_eq!(code, 0);
    assert_eq!(client.start(|reply| (5, reply)).expect("a call").wait().expect("an answer"), 10);
    drop(pending);
}

/// Not a test of its own: the process that the test below starts.
#[test]
fn lender_role() {
    let Ok(name) = std::env::var(ROLE) else { return };
    let host = Host::<(u8, Reply<OolBuffer>)>::builder().name(&name).trust(trust());
    let run = host.run(|(byte, reply): (u8, Reply<OolBuffer>), _: &Context| {
        let mut memory = reply.loan(LENT).expect("memory");
        memory.as_mut_slice().fill(byte);
        reply.send(memory).expect("the caller waits");
    });
    run.expect("the name is free");
}

const LENT: usize = 1 << 20;

fn trust() -> Trust {
    // SAFETY: all processes of this test are this test.
    unsafe { Trust::new() }
}

/// Memory that is lent is shared with one process, and not with that one's children.
#[test]
fn a_child_has_nothing_of_what_its_parent_was_lent() {
    let name = unique("lent");
    struct Killed(std::process::Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let host = Command::new(std::env::current_exe().expect("own path"))
        .args(["--exact", "lender_role", "--test-threads=1"])
        .env(ROLE, &name)
        .stdout(Stdio::null())
        .spawn()
        .expect("a second process");
    let _host = Killed(host);
    let connect = || {
        let options = ConnectOptions::new().name(&name).wait(PATIENCE).trust(trust(), 8 * LENT);
        Client::<(u8, Reply<OolBuffer>)>::connect_with(&options)
    };
    let ask = |client: &Client<(u8, Reply<OolBuffer>)>, byte: u8| {
        let mut memory = client.call(|reply| (byte, reply)).ok()?;
        memory.as_mut_slice().iter().all(|&found| found == byte).then_some(memory)
    };
    let client = connect().expect("the host is there");
    let mut kept: Vec<OolBuffer> =
        (0..4).map(|byte| ask(&client, byte).expect("what was asked for")).collect();
    let code = in_forked_child(|| {
        // What it seems to have inherited is nothing that it could give back, and nothing of its own is taken for it.
        let own: Vec<Vec<u8>> = (0..64).map(|byte| vec![byte; LENT]).collect();
        std::mem::take(&mut kept).into_iter().for_each(drop);
        let whole = (0..).zip(&own).all(|(byte, own)| own.iter().all(|&found| found == byte));
        if !whole {
            return 3;
        }
        let Ok(client) = connect() else { return 1 };
        if (10..30).all(|byte| ask(&client, byte).is_some()) { 0 } else { 2 }
    });
    assert_eq!(code, 0);
    for (byte, memory) in (0..).zip(&mut kept) {
        assert!(memory.as_mut_slice().iter().all(|&found| found == byte));
    }
    drop(kept);
    assert!((30..60).all(|byte| ask(&client, byte).is_some()));
}

/// Not a test of its own: the process that the test below starts.
#[test]
fn host_role() {
    let Ok(name) = std::env::var(ROLE) else { return };
    let _host =
        Host::<Vec<u8>>::builder().name(&name).bind(|_: Vec<u8>, _: &Context| {}).expect("the name is free");
    // SAFETY: the child makes no call of ours and waits to be killed.
    let child = unsafe { fork() };
    if child == 0 {
        loop {
            // SAFETY: waits for a signal.
            unsafe { pause() };
        }
    }
    println!("\nforked {child}");
    std::io::stdout().flush().expect("standard output");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_dead_parent_is_dead_though_its_child_lives() {
    let name = unique("dead");
    let mut host = Command::new(std::env::current_exe().expect("own path"))
        .args(["--exact", "host_role", "--nocapture", "--test-threads=1"])
        .env(ROLE, &name)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second process");
    let output = BufReader::new(host.stdout.take().expect("piped"));
    let child: u32 = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("forked ").map(|pid| pid.parse().expect("a process id")))
        .expect("the host forks");
    let client = Client::<Vec<u8>>::connect_to(&name).expect("the host is there");
    client.send(vec![1]).expect("the host lives");
    host.kill().expect("the host lives");
    host.wait().expect("the host was killed");
    let start = std::time::Instant::now();
    let error = loop {
        match client.send(vec![2]) {
            Ok(()) => assert!(start.elapsed().as_secs() < 30, "the host's death goes unnoticed"),
            Err(error) => break error.into_error(),
        }
    };
    assert!(matches!(error, Error::HostDied { .. }), "{error}");
    assert!(Client::<Vec<u8>>::connect_to(&name).is_err(), "the name is free");
    let _ = Command::new("kill").args(["-9", &child.to_string()]).status();
}
