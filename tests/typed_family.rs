//! Endpoints between parents and children, without names.

mod typed_support;

use std::os::unix::process::parent_id;
use std::process::{Command, Stdio};
use std::time::Duration;

use machipc::port::inheritance;
use machipc::{Client, Context, Error, Host, Reply, SendRight};
use typed_support::WATCHDOG;
use typed_support::process::{self, role};

#[machipc::endpoint("com.example.test.parent")]
enum Parent {
    /// The process ids of the child as it sees itself and as the host sees it.
    Pid { own: u32, reply: Reply<u32> },
    /// A client that came in a message.
    Meet { who: SendRight<Hello<'static>>, name: String, reply: Reply<String> },
}

#[machipc::endpoint("com.example.test.hello")]
enum Hello<'a> {
    Hello { name: &'a str, reply: Reply<String> },
}

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    match role.as_str() {
        "child" => {
            let parent = parent();
            assert_eq!(parent.pid(std::process::id()).unwrap(), std::process::id());
            let again = Client::<Parent>::from_parent();
            assert!(matches!(again, Err(Error::NotHanded { .. })), "{again:?}");
        }
        "child with a host" => {
            let hello = greeter("child");
            let answer = parent().meet(hello.send_right().unwrap(), "parent".to_owned()).unwrap();
            assert_eq!(answer, "child greets parent");
            hello.hand_to_parent().unwrap();
            assert!(matches!(hello.hand_to_parent(), Err(Error::NotHanded { .. })));
            // Until it is killed.
            std::thread::sleep(2 * WATCHDOG);
        }
        "silent child" => {}
        // It inherits its parent's environment and, if that had been careless, its descriptors.
        "child with a child" => {
            let parent = parent();
            let mut grandchild = process::command("grandchild", &[]);
            run(&mut grandchild);
            parent.pid(std::process::id()).unwrap();
        }
        "grandchild" | "other child" => {
            let handed = Client::<Parent>::from_parent();
            assert!(matches!(handed, Err(Error::NotHanded { .. })), "{handed:?}");
        }
        "several" => {
            let first = Client::<u64>::from_right(inheritance::from_parent("a;=%b").unwrap());
            let second = Client::<u64>::from_right(inheritance::from_parent("\u{fc}").unwrap());
            assert!(inheritance::from_parent::<u64>("third").is_err());
            first.send(1).unwrap();
            second.send(2).unwrap();
            parent().pid(std::process::id()).unwrap();
        }
        "lender" => {
            let hello = greeter("lender");
            let parent = Client::<SendRight<Hello>>::from_parent().unwrap();
            parent.send(hello.send_right().unwrap()).unwrap();
            // Until it is killed.
            std::thread::sleep(2 * WATCHDOG);
        }
        "borrower" => {
            let hello = HelloClient::from_right(inheritance::from_parent("hello").unwrap());
            assert_eq!(hello.hello("borrower").unwrap(), "lender greets borrower");
        }
        "orphan" => {
            typed_support::until("the parent has died", || parent_id().to_string() != arguments[1]);
            let error = match Client::<Parent>::from_parent() {
                Ok(parent) => parent.call(|reply| Parent::Pid { own: 0, reply }).unwrap_err(),
                Err(error) => error,
            };
            assert!(matches!(error, Error::HostDied { .. } | Error::NotHanded { .. }), "{error}");
            std::fs::write(&arguments[0], "orphaned").unwrap();
        }
        "parent of an orphan" => {
            let host = host();
            let mut command = process::command("orphan", &[&arguments[0], &std::process::id().to_string()]);
            host.hand_to(&mut command).unwrap();
            command.stdin(Stdio::inherit()).spawn().unwrap();
            std::process::exit(0);
        }
        other => panic!("no role is called {other}"),
    }
}

fn parent() -> ParentClient {
    let parent = ParentClient::from_parent().unwrap();
    assert_eq!(parent.client().endpoint(), "com.example.test.parent");
    parent
}

fn host() -> Host<Parent> {
    let handler = |message: Parent, cx: &Context| match message {
        Parent::Pid { own, reply } => {
            assert_eq!(cx.peer().pid(), own);
            reply.send(cx.peer().pid()).unwrap();
        }
        Parent::Meet { who, name, reply } => {
            let who = HelloClient::from_right(who);
            reply.send(who.hello(&name).unwrap()).unwrap();
        }
    };
    Host::<Parent>::builder().unnamed().bind(handler).unwrap()
}

fn greeter(own: &'static str) -> Host<Hello<'static>> {
    let handler = move |message: Hello<'_>, _: &Context| match message {
        Hello::Hello { name, reply } => drop(reply.send(format!("{own} greets {name}"))),
    };
    Host::<Hello>::builder().unnamed().bind(handler).unwrap()
}

fn run(command: &mut Command) {
    let mut child = command.spawn().unwrap();
    // The end of its standard input would be the end of it.
    let input = child.stdin.take();
    let status = child.wait().unwrap();
    drop(input);
    assert!(status.success(), "{status}");
}

#[test]
fn a_child_calls_its_parent() {
    let host = host();
    for _ in 0..3 {
        let mut command = process::command("child", &[]);
        host.hand_to(&mut command).unwrap();
        run(&mut command);
    }
    assert_eq!(host.stats().handled, 3);
}

/// The message came to the child's host over a right, and the host itself as a right that the parent awaits.
#[test]
fn a_child_hands_its_host_to_its_parent() {
    let host = host();
    let mut command = process::command("child with a host", &[]);
    host.hand_to(&mut command).unwrap();
    let awaited = Client::<Hello>::from_child(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    let client = awaited.wait(WATCHDOG).unwrap();
    assert_eq!(client.endpoint(), "com.example.test.hello");
    let hello = HelloClient::from_client(client);
    assert_eq!(hello.hello("again").unwrap(), "child greets again");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(hello.hello("gone"), Err(Error::HostDied { .. })));
}

#[test]
fn a_child_that_ends_without_a_host_is_not_waited_for() {
    let mut command = process::command("silent child", &[]);
    let awaited = Client::<Hello>::from_child(&mut command).unwrap();
    run(&mut command);
    drop(command);
    // Where the system does not tell, the time-out does.
    let error =
        awaited.wait(Duration::from_secs(if cfg!(target_os = "linux") { 60 } else { 1 })).unwrap_err();
    let expected = if cfg!(target_os = "linux") {
        matches!(error, Error::HostDied { .. })
    } else {
        matches!(error, Error::DeadlineExceeded { .. })
    };
    assert!(expected, "{error}");
}

/// Only the child that is meant gets it, whatever the others inherit or are told.
#[test]
fn nobody_else_gets_it() {
    let host = host();
    let handed = |command: &mut Command| host.hand_to(command).unwrap();
    let mut meant = process::command("child with a child", &[]);
    handed(&mut meant);
    // A child that starts at the same time, and is told the same.
    let told =
        meant.get_envs().find(|(name, _)| *name == inheritance::VARIABLE).unwrap().1.unwrap().to_owned();
    let mut other = process::command("other child", &[]);
    other.env(inheritance::VARIABLE, &told);
    if cfg!(target_os = "linux") {
        run(&mut other);
    }
    run(&mut meant);
    run(&mut other);
    assert_eq!(host.stats().handled, 1);
    // Nor is what is told of use to this process.
    assert!(matches!(Client::<Parent>::from_parent(), Err(Error::NotHanded { .. })));
}

#[test]
fn a_command_has_each_endpoint_once_and_starts_once() {
    let host = host();
    let mut command = process::command("child", &[]);
    host.hand_to(&mut command).unwrap();
    let error = host.hand_to(&mut command).unwrap_err();
    assert!(matches!(error, Error::HandedAlready { .. }), "{error}");
    run(&mut command);
    if cfg!(target_os = "linux") {
        let error = command.spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(114), "EALREADY is wanted: {error}");
    }
}

#[test]
fn several_rights_under_keys_of_their_own() {
    let (sink, numbers) = std::sync::mpsc::channel();
    let listen = || {
        let sink = sink.clone();
        Host::<u64>::builder()
            .unnamed()
            .bind(move |number: u64, _: &Context| sink.send(number).unwrap())
            .unwrap()
    };
    let (first, second, parent) = (listen(), listen(), host());
    let mut command = process::command("several", &[]);
    inheritance::hand_to(&mut command, "a;=%b", &first.send_right().unwrap()).unwrap();
    inheritance::hand_to(&mut command, "\u{fc}", &second.send_right().unwrap()).unwrap();
    parent.hand_to(&mut command).unwrap();
    run(&mut command);
    let mut got = [numbers.recv_timeout(WATCHDOG).unwrap(), numbers.recv_timeout(WATCHDOG).unwrap()];
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
}

/// A right to another process's port can be handed on.
#[test]
fn a_right_to_a_third_process_is_handed_on() {
    let (sink, rights) = std::sync::mpsc::channel();
    let host = Host::<SendRight<Hello>>::builder()
        .unnamed()
        .bind(move |right: SendRight<Hello>, _: &Context| sink.send(right).unwrap())
        .unwrap();
    let mut lender = process::command("lender", &[]);
    host.hand_to(&mut lender).unwrap();
    let mut lender = lender.spawn().unwrap();
    let right = rights.recv_timeout(WATCHDOG).unwrap();
    let mut borrower = process::command("borrower", &[]);
    inheritance::hand_to(&mut borrower, "hello", &right).unwrap();
    run(&mut borrower);
    lender.kill().unwrap();
    lender.wait().unwrap();
}

#[test]
fn a_child_whose_parent_has_died_is_told() {
    let path = std::env::temp_dir().join(typed_support::unique("orphan"));
    let mut command = process::command("parent of an orphan", &[path.to_str().unwrap()]);
    let mut parent = command.spawn().unwrap();
    // The orphan inherits it, and would end with it.
    let input = parent.stdin.take();
    assert!(parent.wait().unwrap().success());
    typed_support::until("the orphan has found out", || {
        std::fs::read_to_string(&path).is_ok_and(|text| text == "orphaned")
    });
    drop(input);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn nothing_is_left_of_offers_that_nobody_took() {
    let host = host();
    let files =
        || std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd")).unwrap().count();
    let offer = || {
        let mut command = Command::new("/there/is/no/such/program");
        host.hand_to(&mut command).unwrap();
        assert!(command.spawn().is_err());
    };
    offer();
    let before = files();
    (0..400).for_each(|_| offer());
    typed_support::until_or("all offers are forgotten", || {
        let now = files();
        // Other tests of this process open and close some meanwhile.
        (now < before + 50, format!("{now} files, {before} before"))
    });
}

/// The example is a whole program. It is there where the examples were built, as for all tests together.
#[test]
fn the_example_says_what_it_should() {
    let example = std::env::current_exe().unwrap().with_file_name("../examples/parent_child");
    if !example.is_file() {
        println!("skipped: {} is not built", example.display());
        return;
    }
    let output = Command::new(example).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().filter(|line| line.contains("says: I add")).count(), 3, "{text}");
    assert_eq!(text.lines().last(), Some("the sum of 1 to 3000 is 4501500"));
}
