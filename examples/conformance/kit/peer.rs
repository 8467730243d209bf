//! The other task's side: it reads an order a line and answers with numbers, the code first.
//!
//! Ports are given by this task's own names, which the steering task learns from the answers.

use super::*;
use machipc::mach::*;
use std::io::{BufRead, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;

/// Serves orders until the steering process hangs up.
pub fn peer_role(service: &str) -> i32 {
    let (code, mailbox) = if service == "again" { (0, 0) } else { check_in(service) };
    if code != BOOTSTRAP_SUCCESS {
        eprintln!("check_in({service}) of a second process: {}", code_text(code));
        return 1;
    }
    say(&mailbox.to_string());
    let (orders, queue) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = orders.send(line);
        }
        // The steering process is gone: whatever this one waits for is of no use to anybody.
        std::process::exit(0);
    });
    for line in queue {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() == Some(&"exit") {
            return 0;
        }
        match serve(&words) {
            Ok(numbers) => say(&numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")),
            Err(Stop::Fail(text) | Stop::Skip(text)) => say(&format!("-1 {text}")),
        }
    }
    0
}

/// Looks a service up until it is there or has gone, as `code` says.
pub fn look_up_until(service: &str, code: kern_return_t) -> Outcome<Name> {
    let start = std::time::Instant::now();
    loop {
        let (got, name) = look_up(service);
        if got == code {
            return Ok(name);
        }
        if got == BOOTSTRAP_SUCCESS {
            release(&[name])?;
        }
        if start.elapsed().as_secs() > 15 {
            fail!("expected look_up({service:?}) = {}, got {}", code_text(code), code_text(got));
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Carries out one order.
fn serve(words: &[&str]) -> Outcome<Vec<i64>> {
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok()).unwrap_or_default();
    let name = |at: usize| number(at) as Name;
    let text = |at: usize| words.get(at).copied().unwrap_or_default();
    let one = |code: kern_return_t| Ok(vec![i64::from(code)]);
    let two = |(code, value): (kern_return_t, u32)| Ok(vec![i64::from(code), i64::from(value)]);
    match text(0) {
        "allocate" => two(allocate(name(1))),
        "insert" => one(insert_right(name(1), name(2), name(3))),
        "mod_refs" => one(mod_refs(name(1), name(2), number(3) as i32)),
        "deallocate" => one(deallocate(name(1))),
        "destroy" => one(destroy(name(1))),
        "type" => two(port_type(name(1))),
        "refs" => two(get_refs(name(1), name(2))),
        "limit" => one(set_limit(name(1), name(2))),
        "check_in" => two(check_in(text(1))),
        "look_up" => two(look_up(text(1))),
        "register" => one(register(text(1), name(2))),
        "names" => Ok(vec![0, names()?.len() as i64]),
        "request" => two(request(name(1), number(2) as i32, name(3), name(4), name(5))),
        "status" => {
            let (code, s) = get_status(name(1));
            let fields =
                [s.mps_seqno, s.mps_mscount, s.mps_qlimit, s.mps_msgcount, s.mps_sorights, s.mps_nsrequest];
            Ok(std::iter::once(code.into()).chain(fields.map(i64::from)).collect())
        }
        "send" => one(message(words).send_with(MACH_SEND_TIMEOUT, name(6))),
        "receive" => received(name(1), name(2)),
        "makefd" => one(makefd(name(1))),
        "write_fd" => with_file(number(1) as RawFd, |mut file| file.write_all(text(2).as_bytes())),
        "read_fd" => {
            let mut byte = [0];
            with_file(number(1) as RawFd, |mut file| file.read_exact(&mut byte))?;
            Ok(vec![0, byte[0].into()])
        }
        // Whether any descriptor of this process is on the file with this device and inode.
        "has_file" => {
            let is_it = |fd: i64| {
                let found = std::fs::metadata(format!("/dev/fd/{fd}"));
                found.is_ok_and(|found| (found.dev() as i64, found.ino() as i64) == (number(1), number(2)))
            };
            Ok(vec![0, (0..1024).filter(|&fd| is_it(fd)).count() as i64])
        }
        // Becomes a new program in the same process. Its answer is that program's first.
        "exec" => {
            use std::os::unix::process::CommandExt;
            let error = again(&["task", "again"]).map(|mut command| command.exec());
            fail!("expected to execute anew, got {error:?}")
        }
        other => fail!("expected an order, got {other:?}"),
    }
}

/// `send DEST DISPOSITION REPLY DISPOSITION ID TIMEOUT [right NAME DISPOSITION]… [word VALUE]… [memory|physical SIZE SEED]`.
fn message(words: &[&str]) -> Message {
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok()).unwrap_or_default();
    let mut message = Message::to(number(1) as Name, number(2) as u32)
        .reply(number(3) as Name, number(4) as u32)
        .id(number(5) as i32);
    let mut at = 7;
    while at < words.len() {
        message = match words[at] {
            "right" => {
                at += 3;
                message.right(number(at - 2) as Name, number(at - 1) as u32)
            }
            kind @ ("memory" | "physical") => {
                at += 3;
                let (copy, deallocate) = if kind == "memory" { (1, 1) } else { (0, 0) };
                match Region::patterned(number(at - 2) as usize, number(at - 1) as u8) {
                    Ok(region) => message.memory(region, copy, deallocate),
                    Err(_) => message,
                }
            }
            _ => {
                at += 2;
                message.data(&[number(at - 1) as u32])
            }
        };
    }
    message
}

/// `receive NAME TIMEOUT`: code, remote, local, bits, id, pid of the sender, descriptors, then each descriptor's name or
/// the names of its array, then the inline words.
fn received(name: Name, timeout: u32) -> Outcome<Vec<i64>> {
    let option = MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT);
    let mut buffer = Buffer::filled(4096, 0);
    let code = receive_with(name, option, &mut buffer, 4096, timeout);
    if code != MACH_MSG_SUCCESS {
        return Ok(vec![code.into()]);
    }
    let message = Received::parse(buffer)?;
    let head = [message.remote, message.local, message.user_bits()].map(i64::from);
    let mut numbers = vec![0];
    numbers.extend(head);
    numbers.push(message.id.into());
    numbers.push(message.trailer().audit[5].into());
    numbers.push(message.descriptors.len() as i64);
    for descriptor in &message.descriptors {
        match descriptor.kind {
            MACH_MSG_OOL_PORTS_DESCRIPTOR => {
                numbers.extend(descriptor.region().into_words()?.into_iter().map(i64::from));
            }
            _ => numbers.push(descriptor.name.into()),
        }
    }
    numbers.extend(message.data().iter().map(|&word| i64::from(word)));
    Ok(numbers)
}

fn with_file(fd: RawFd, work: impl FnOnce(&std::fs::File) -> std::io::Result<()>) -> Outcome<Vec<i64>> {
    match work(&borrowed_file(fd)) {
        Ok(()) => Ok(vec![0]),
        Err(error) => Ok(vec![-1, error.raw_os_error().unwrap_or_default().into()]),
    }
}
