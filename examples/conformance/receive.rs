//! receiving, trailers and waiting.

use super::kit::*;
use machipc::mach::*;
use std::time::{Duration, Instant};

pub fn r_138_receive_on_no_receive_right() -> Outcome {
    let (p, s, dead, unknown) = (port()?, send_only(1)?, dead_name(1)?, unknown_name()?);
    let once = send_once(p)?;
    for name in [NULL, DEAD, unknown, s.name, once, dead] {
        let mut buffer = Buffer::filled(64, 0x5a);
        let code = receive_with(name, MACH_RCV_TIMEOUT, &mut buffer, 64, 0);
        let want = MACH_RCV_INVALID_NAME;
        expect!(code == want, "expected receive on {name:#x} = {}, got {}", code_text(want), code_text(code));
        expect!(buffer.untouched_from(0, 0x5a), "expected an untouched buffer, got a changed one");
    }
    s.release()?;
    release(&[once, p, dead])
}

pub fn r_139_combined_call_with_bad_receive_name() -> Outcome {
    let (p, unknown) = (port_with_send(1)?, unknown_name()?);
    let (mut buffer, size) = Message::to(p, COPY_SEND).id(39).size(128).write();
    let both = MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TIMEOUT;
    expect_code!(mach_msg_call(&mut buffer, both, size, 128, unknown, 0), MACH_RCV_INVALID_NAME);
    expect_eq!("id", receive(p)?.id, 39);
    release(&[p])
}

pub fn r_140_receive_timeout() -> Outcome {
    let p = port()?;
    let mut buffer = Buffer::filled(128, 0x5a);
    expect_code!(receive_with(p, MACH_RCV_TIMEOUT, &mut buffer, 128, 0), MACH_RCV_TIMED_OUT);
    expect!(buffer.untouched_from(0, 0x5a), "expected an untouched buffer, got a changed one");
    let start = Instant::now();
    expect_code!(receive_with(p, MACH_RCV_TIMEOUT, &mut buffer, 128, 120), MACH_RCV_TIMED_OUT);
    let waited = start.elapsed();
    expect!(waited >= Duration::from_millis(120), "expected to wait 120 ms at least, got {waited:?}");
    expect!(buffer.untouched_from(0, 0x5a), "expected an untouched buffer, got a changed one");
    release(&[p])
}

pub fn r_141_queued_message_and_timeout_zero() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).id(41).send(), MACH_MSG_SUCCESS);
    let (code, message) = try_receive(p);
    expect_code!(code, MACH_MSG_SUCCESS);
    expect_eq!("id", message.map(|message| message.id), Some(41));
    // A combined call into a buffer of its own leaves the first as it was sent.
    let (mut first, size) = Message::to(p, COPY_SEND).id(42).write();
    let mut second = Buffer::filled(128, 0);
    let both = MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TIMEOUT;
    expect_code!(mach_msg_call_into(&mut first, both, size, &mut second, p, 0), MACH_MSG_SUCCESS);
    expect_eq!("id in the second buffer", second.u32(20), 42);
    expect_eq!("remote field in the first buffer", first.u32(8), p);
    // What another task has sent is there when its send has returned.
    let mut peer = Peer::start()?;
    for id in 43..=60 {
        peer.send_id(peer.inbox_there, id)?;
        let (code, message) = try_receive(peer.inbox);
        expect_code!(code, MACH_MSG_SUCCESS);
        expect_eq!("id", message.map(|message| message.id), Some(id));
    }
    peer.close()?;
    release(&[p])
}

pub fn r_142_header_is_reversed() -> Outcome {
    let (p, r) = (port_with_send(1)?, port_with_send(1)?);
    let once = send_once(p)?;
    let cases = [
        (p, COPY_SEND, MAKE_SEND_ONCE, MOVE_SEND, MOVE_SEND_ONCE),
        (once, MOVE_SEND_ONCE, COPY_SEND, MOVE_SEND_ONCE, MOVE_SEND),
        (p, MAKE_SEND_ONCE, MAKE_SEND, MOVE_SEND_ONCE, MOVE_SEND),
        (p, MAKE_SEND, COPY_SEND, MOVE_SEND, MOVE_SEND),
    ];
    for (destination, by, reply, local, remote) in cases {
        expect_code!(Message::to(destination, by).reply(r, reply).id(1).send(), MACH_MSG_SUCCESS);
        let message = receive(p)?;
        expect_eq!("local", message.local, p);
        expect_eq!("local bits", message.local_bits(), local);
        expect_eq!("remote bits", message.remote_bits(), remote);
        if remote == MOVE_SEND {
            expect_eq!("remote", message.remote, r);
        }
        expect_code!(Message::to(message.remote, remote).id(2).send(), MACH_MSG_SUCCESS);
        let answer = receive(r)?;
        expect_eq!("id of the answer", answer.id, 2);
        expect_eq!("bits of the answer", answer.user_bits(), remote << 8);
    }
    // A request to another task, and its reply.
    let mut server = Peer::start()?;
    for (reply, remote) in [(MAKE_SEND_ONCE, MOVE_SEND_ONCE), (COPY_SEND, MOVE_SEND)] {
        let message = Message::to(server.mailbox, COPY_SEND).reply(r, reply).id(5);
        expect_code!(message.send(), MACH_MSG_SUCCESS);
        let there = server.receive_id(server.mailbox_there, 5)?;
        let order = format!("send {there} {remote} 0 0 6 10000");
        expect_code!(server.ask_code(&order)?, MACH_MSG_SUCCESS);
        let answer = receive(r)?;
        expect_eq!("id of the answer", answer.id, 6);
        expect_eq!("bits of the answer", answer.user_bits(), remote << 8);
        expect_eq!("local of the answer", answer.local, r);
    }
    server.close()?;
    release(&[p, r])
}

pub fn r_143_buffer_holds_message_and_trailer() -> Outcome {
    let p = port_with_send(1)?;
    let message = Message::to(p, COPY_SEND).id(43).data(&[1, 2]);
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    let mut buffer = Buffer::filled(128, 0);
    let large = MACH_RCV_TIMEOUT | MACH_RCV_LARGE;
    expect_code!(receive_with(p, large, &mut buffer, 32, 0), MACH_RCV_TOO_LARGE);
    expect_code!(receive_with(p, large, &mut buffer, 36, 0), MACH_RCV_TOO_LARGE);
    expect_code!(receive_with(p, large, &mut buffer, 40, 0), MACH_MSG_SUCCESS);
    expect_eq!("id", buffer.u32(20), 43);
    // Without the option the message goes with the refusal.
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    expect_code!(receive_with(p, MACH_RCV_TIMEOUT, &mut buffer, 32, 0), MACH_RCV_TOO_LARGE);
    quiet(p)?;
    release(&[p])
}

pub fn r_144_too_large_destroys_the_message() -> Outcome {
    let (p, r, x, y) = (port_with_send(1)?, port()?, port()?, port()?);
    let message = Message::to(p, COPY_SEND)
        .reply(r, MAKE_SEND_ONCE)
        .right(x, MAKE_SEND_ONCE)
        .right(y, MAKE_SEND)
        .id(44)
        .data(&[0; 100]);
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    let mut buffer = Buffer::filled(128, 0x5a);
    expect_code!(receive_with(p, MACH_RCV_TIMEOUT, &mut buffer, 64, 0), MACH_RCV_TOO_LARGE);
    expect!(buffer.untouched_from(64, 0x5a), "expected nothing past the limit, got changed bytes");
    expect_eq!("remote", buffer.u32(8), NULL);
    expect_eq!("local", buffer.u32(12), p);
    expect_eq!("id", buffer.u32(20), 44);
    expect_eq!("size", buffer.u32(4), 24);
    expect_eq!("trailer", buffer.words(24, 2), &[0, 8]);
    expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_notification(x, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_eq!("send rights of a carried port", status(y)?.mps_srights, 0);
    expect_eq!(
        "queued messages and sequence number",
        (status(p)?.mps_msgcount, status(p)?.mps_seqno),
        (0, 1)
    );
    // The extended part: no room for a header.
    expect_code!(Message::to(p, COPY_SEND).send(), MACH_MSG_SUCCESS);
    let code = receive_with(p, MACH_RCV_TIMEOUT, &mut buffer, 20, 0);
    expect_code!(code, MACH_RCV_INVALID_DATA, older MACH_RCV_TOO_LARGE);
    release(&[p, r, x, y])
}

pub fn r_145_large_keeps_the_message() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).id(45).data(&[9; 100]).send(), MACH_MSG_SUCCESS);
    for limit in [if darwin() { 16 } else { 8 }, 16, 24, 400] {
        let mut buffer = Buffer::filled(512, 0x5a);
        let code = receive_with(p, MACH_RCV_TIMEOUT | MACH_RCV_LARGE, &mut buffer, limit, 0);
        expect_code!(code, MACH_RCV_TOO_LARGE);
        expect_eq!("size that is needed", buffer.u32(4), 424);
        expect!(
            buffer.untouched_from(limit as usize, 0x5a),
            "expected nothing past {limit}, got changed bytes"
        );
        expect_eq!("queued messages", status(p)?.mps_msgcount, 1);
        expect_eq!("sequence number", status(p)?.mps_seqno, 0);
    }
    let message = receive(p)?;
    expect_eq!("id", message.id, 45);
    expect_eq!("data", message.data(), &[9; 100]);
    expect_eq!("sequence number", message.trailer().seqno, 0);
    release(&[p])
}

pub fn r_146_large_identity_names_the_member() -> Outcome {
    let (a, b, set) = (port()?, port_with_send(1)?, port_set()?);
    for member in [a, b] {
        expect_code!(insert_member(member, set), KERN_SUCCESS);
    }
    expect_code!(Message::to(b, COPY_SEND).id(46).data(&[9; 100]).send(), MACH_MSG_SUCCESS);
    let mut buffer = Buffer::filled(64, 0x5a);
    let option = MACH_RCV_TIMEOUT | MACH_RCV_LARGE | MACH_RCV_LARGE_IDENTITY;
    expect_code!(receive_with(set, option, &mut buffer, 16, 0), MACH_RCV_TOO_LARGE);
    expect_eq!("size that is needed", buffer.u32(4), 424);
    expect_eq!("name of the member", buffer.u32(12), b);
    expect_eq!("id", receive(buffer.u32(12))?.id, 46);
    release(&[a, b, set])
}

pub fn r_147_large_with_no_buffer() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).id(47).send(), MACH_MSG_SUCCESS);
    let mut buffer = Buffer::filled(64, 0x5a);
    let code = receive_with(p, MACH_RCV_TIMEOUT | MACH_RCV_LARGE, &mut buffer, 0, 0);
    expect_code!(code, MACH_RCV_TOO_LARGE);
    expect!(buffer.untouched_from(0, 0x5a), "expected an untouched buffer, got a changed one");
    expect_eq!("id", receive(p)?.id, 47);
    release(&[p])
}

pub fn r_148_trailer_sizes() -> Outcome {
    let p = port_with_send(1)?;
    for (elements, size) in [(0, 8), (1, 12), (2, 20), (3, 52), (4, 60), (5, 68), (6, 68), (7, 68), (8, 68)] {
        expect_code!(Message::to(p, COPY_SEND).data(&[1]).send(), MACH_MSG_SUCCESS);
        let mut buffer = Buffer::filled(160, 0x5a);
        let option = MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(elements);
        expect_code!(receive_with(p, option, &mut buffer, 160, 0), MACH_MSG_SUCCESS);
        let end = 28 + size as usize;
        let message = Received::parse(buffer)?;
        expect_eq!("message size", message.size, 28);
        expect_eq!(format!("format of trailer {elements}"), message.trailer().kind, 0);
        expect_eq!(format!("size of trailer {elements}"), message.trailer().size, size);
        expect!(
            message.buffer.untouched_from(end, 0x5a),
            "expected nothing past trailer {elements}, got changed bytes"
        );
        if size == 68 {
            expect_eq!("filter id and label", message.buffer.words(28 + 60, 2), &[0, 0]);
        }
    }
    release(&[p])
}

pub fn r_149_sequence_numbers() -> Outcome {
    let (p, keeper) = (port_with_send(1)?, port()?);
    let next = || -> Outcome<u32> {
        expect_code!(Message::to(p, COPY_SEND).send(), MACH_MSG_SUCCESS);
        Ok(receive(p)?.trailer().seqno)
    };
    for want in 0..4 {
        expect_eq!("sequence number", next()?, want);
    }
    expect_code!(set_seqno(p, 1000), KERN_SUCCESS);
    for want in [1000, 1001] {
        expect_eq!("sequence number", next()?, want);
    }
    expect_eq!("sequence number in the status", status(p)?.mps_seqno, 1002);
    keep(p, keeper)?;
    expect_eq!("name that came back", receive(keeper)?.only()?.name, p);
    expect_eq!("sequence number after a move", next()?, 0);
    release(&[p, keeper])
}

pub fn r_150_audit_trailer() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).send(), MACH_MSG_SUCCESS);
    let own = receive(p)?.trailer();
    expect_eq!("pid of this process", own.audit[5], std::process::id());
    expect_eq!("sender", own.sender, [own.audit[1], own.audit[2]]);
    if let Some((uid, gid)) = own_ids() {
        expect_eq!("effective and real ids", own.audit[1..5].to_vec(), vec![uid, gid, uid, gid]);
    }
    let mut peer = Peer::start()?;
    let of_peer = |peer: &mut Peer| -> Outcome<Trailer> {
        let order = format!("send {} {COPY_SEND} 0 0 50 10000", peer.inbox_there);
        expect_code!(peer.ask_code(&order)?, MACH_MSG_SUCCESS);
        let trailer = receive(peer.inbox)?.trailer();
        expect_eq!("pid of another process", trailer.audit[5], peer.id());
        expect_eq!("ids of another process", trailer.audit[..5].to_vec(), own.audit[..5].to_vec());
        expect_eq!("sender", trailer.sender, own.sender);
        Ok(trailer)
    };
    let first = of_peer(&mut peer)?;
    expect_eq!("pid version of the same process", of_peer(&mut peer)?.audit[7], first.audit[7]);
    // After exec the process is another program with other rights, and its pid version says so.
    let service = service_name();
    let (code, door) = check_in(&service);
    expect_code!(code, BOOTSTRAP_SUCCESS);
    peer.ask("exec")?;
    let there = peer.ask_name(&format!("look_up {service}"))?;
    expect_code!(peer.ask_code(&format!("send {there} {COPY_SEND} 0 0 51 10000"))?, MACH_MSG_SUCCESS);
    let after = receive(door)?.trailer();
    expect_eq!("pid after exec", after.audit[5], peer.id());
    expect!(
        after.audit[7] != first.audit[7],
        "expected another pid version after exec, got {}",
        first.audit[7]
    );
    peer.close()?;
    release(&[p, door])
}

/// User and group of this process, where the system shows them as a directory's owner.
fn own_ids() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self").ok()?;
    Some((own.uid(), own.gid()))
}

pub fn r_151_context_trailer() -> Outcome {
    let (code, p) = construct(MPO_INSERT_SEND_RIGHT, 0, 0x1122_3344_5566);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("context", get_context(p), (KERN_SUCCESS, 0x1122_3344_5566));
    let context = || -> Outcome<u64> {
        let mut buffer = Buffer::filled(128, 0);
        let option = MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_CTX);
        expect_code!(receive_with(p, option, &mut buffer, 128, 0), MACH_MSG_SUCCESS);
        Ok(Received::parse(buffer)?.trailer().context)
    };
    expect_code!(Message::to(p, COPY_SEND).send(), MACH_MSG_SUCCESS);
    expect_eq!("context in the trailer", context()?, 0x1122_3344_5566);
    // The value counts at the time of the receive.
    expect_code!(Message::to(p, COPY_SEND).send(), MACH_MSG_SUCCESS);
    expect_code!(set_context(p, u64::MAX - 1), KERN_SUCCESS);
    expect_eq!("context in the trailer", context()?, u64::MAX - 1);
    release(&[p])
}

/// A receive without time-out on its own thread: its code, and the id that came.
fn blocking_receive(name: Name) -> Background<(mach_msg_return_t, u32)> {
    background(move || {
        let mut buffer = Buffer::filled(256, 0);
        let code = receive_with(name, 0, &mut buffer, 256, 0);
        (code, buffer.u32(20))
    })
}

pub fn r_152_destroyed_while_receiving() -> Outcome {
    retry("a receive to end when its port dies", |pause| {
        let p = port()?;
        let receiver = blocking_receive(p);
        settle(pause);
        release(&[p])?;
        match receiver.finish("the receive")?.0 {
            MACH_RCV_INVALID_NAME => Ok(false),
            MACH_RCV_PORT_CHANGED | MACH_RCV_PORT_DIED => Ok(true),
            code => {
                fail!("expected a receive = {}, got {}", code_text(MACH_RCV_PORT_CHANGED), code_text(code))
            }
        }
    })
}

pub fn r_153_moved_while_receiving() -> Outcome {
    retry("a receive to end when its port moves", |pause| {
        let (p, keeper) = (port()?, port()?);
        let receiver = blocking_receive(p);
        settle(pause);
        keep(p, keeper)?;
        let code = receiver.finish("the receive")?.0;
        release(&[keeper])?;
        if code == MACH_RCV_INVALID_NAME {
            return Ok(false);
        }
        expect_code!(code, MACH_RCV_PORT_CHANGED);
        Ok(true)
    })
}

pub fn r_154_one_message_for_two_threads() -> Outcome {
    let p = port_with_send(1)?;
    let (a, b) = (blocking_receive(p), blocking_receive(p));
    settle(Duration::from_millis(50));
    expect_code!(Message::to(p, COPY_SEND).id(1).send(), MACH_MSG_SUCCESS);
    let start = Instant::now();
    let (first, other) = loop {
        if let Some(got) = a.poll() {
            break (got, b);
        }
        if let Some(got) = b.poll() {
            break (got, a);
        }
        expect!(start.elapsed().as_secs() < 15, "expected one thread to receive, got two that wait");
        std::thread::yield_now();
    };
    expect_eq!("code and id", first, (MACH_MSG_SUCCESS, 1));
    still_blocked(&other, "the other thread")?;
    expect_code!(Message::to(p, COPY_SEND).id(2).send(), MACH_MSG_SUCCESS);
    expect_eq!("code and id", other.finish("the other thread")?, (MACH_MSG_SUCCESS, 2));
    release(&[p])
}

pub fn r_155_direct_receive_from_a_member() -> Outcome {
    let (p, set) = (port_with_send(1)?, port_set()?);
    expect_code!(insert_member(p, set), KERN_SUCCESS);
    expect_code!(Message::to(p, COPY_SEND).id(1).send(), MACH_MSG_SUCCESS);
    expect_eq!("id", receive(p)?.id, 1);
    retry("a direct waiter to be served before a waiter on the set", |pause| {
        // Chance alone does not serve the direct waiter every time.
        for round in 0..5 {
            let by_set = blocking_receive(set);
            settle(pause);
            let direct = blocking_receive(p);
            settle(pause);
            expect_code!(Message::to(p, COPY_SEND).id(10 + round).send(), MACH_MSG_SUCCESS);
            let start = Instant::now();
            let won = loop {
                if direct.poll().is_some() {
                    break true;
                }
                if by_set.poll().is_some() {
                    break false;
                }
                expect!(start.elapsed().as_secs() < 15, "expected a waiter to receive, got none");
                std::thread::yield_now();
            };
            // The other one is still to be served.
            expect_code!(Message::to(p, COPY_SEND).id(20).send(), MACH_MSG_SUCCESS);
            let other = if won { by_set } else { direct };
            expect_eq!("code and id", other.finish("the other waiter")?, (MACH_MSG_SUCCESS, 20));
            if !won {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    release(&[p, set])
}
