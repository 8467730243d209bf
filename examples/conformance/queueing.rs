//! queue limits, blocking and the death of a destination.

use super::kit::*;
use machipc::mach::*;
use std::time::{Duration, Instant};

/// A port with a send right and `limit` messages in a queue that takes no more.
fn full_port(limit: u32) -> Outcome<Name> {
    let p = port_with_send(1)?;
    expect_code!(set_limit(p, limit), KERN_SUCCESS);
    for id in 1..=limit {
        expect_code!(Message::to(p, COPY_SEND).id(id as i32).try_send(), MACH_MSG_SUCCESS);
    }
    Ok(p)
}

/// A port of another task with a queue of `limit` messages that takes no more: its name there, and here.
fn full_port_of(owner: &mut Peer, limit: u32) -> Outcome<(Name, Name)> {
    let there = owner.ask_name("allocate 1")?;
    expect_code!(owner.ask_code(&format!("limit {there} {limit}"))?, KERN_SUCCESS);
    let here = owner.fetch(there, MAKE_SEND)?;
    for id in 1..=limit {
        expect_code!(Message::to(here, COPY_SEND).id(id as i32).send(), MACH_MSG_SUCCESS);
    }
    Ok((there, here))
}

/// A send to `p` without time-out, on its own thread.
fn blocking_send(p: Name, id: i32) -> Background<mach_msg_return_t> {
    let message = Message::to(p, COPY_SEND).id(id);
    background(move || message.send_with(0, 0))
}

pub fn r_116_queue_limit_times_out() -> Outcome {
    for limit in [1, 5, 16, 1024] {
        let p = full_port(limit)?;
        expect_eq!("queued messages", status(p)?.mps_msgcount, limit);
        expect_code!(Message::to(p, COPY_SEND).send_with(MACH_SEND_TIMEOUT, 0), MACH_SEND_TIMED_OUT);
        expect_eq!("queued messages", status(p)?.mps_msgcount, limit);
        release(&[p])?;
    }
    let p = port_with_send(1)?;
    for _ in 0..5 {
        expect_code!(Message::to(p, COPY_SEND).try_send(), MACH_MSG_SUCCESS);
    }
    expect_code!(Message::to(p, COPY_SEND).try_send(), MACH_SEND_TIMED_OUT);
    release(&[p])?;
    // The limit is the port's in whatever task it is.
    let mut owner = Peer::start()?;
    let (there, here) = full_port_of(&mut owner, 5)?;
    expect_code!(Message::to(here, COPY_SEND).send_with(MACH_SEND_TIMEOUT, 50), MACH_SEND_TIMED_OUT);
    expect_eq!("queued messages there", owner.ask(&format!("status {there}"))?[4], 5);
    // Another port of the same task takes messages all the while.
    expect_code!(Message::to(owner.mailbox, COPY_SEND).id(6).send(), MACH_MSG_SUCCESS);
    owner.receive_id(owner.mailbox_there, 6)?;
    // A limit that is lowered while another task holds the right counts from then on.
    let (low, low_here) = owner.new_port()?;
    expect_code!(owner.ask_code(&format!("limit {low} 1"))?, KERN_SUCCESS);
    expect_code!(Message::to(low_here, COPY_SEND).id(1).send(), MACH_MSG_SUCCESS);
    expect_code!(
        Message::to(low_here, COPY_SEND).id(2).send_with(MACH_SEND_TIMEOUT, 50),
        MACH_SEND_TIMED_OUT
    );
    owner.receive_id(low, 1)?;
    owner.close()?;
    release(&[here, low_here])
}

pub fn r_117_send_timeout_is_a_lower_bound() -> Outcome {
    let p = full_port(1)?;
    let start = Instant::now();
    expect_code!(Message::to(p, COPY_SEND).send_with(MACH_SEND_TIMEOUT, 120), MACH_SEND_TIMED_OUT);
    let waited = start.elapsed();
    expect!(waited >= Duration::from_millis(120), "expected to wait 120 ms at least, got {waited:?}");
    let sender = background(move || Message::to(p, COPY_SEND).id(2).send_with(MACH_SEND_TIMEOUT, PATIENCE));
    still_blocked(&sender, "a send to a full queue")?;
    expect_eq!("id", receive(p)?.id, 1);
    expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    expect_eq!("id", receive(p)?.id, 2);
    release(&[p])
}

pub fn r_118_blocked_sender_completes() -> Outcome {
    let p = full_port(2)?;
    let sender = blocking_send(p, 3);
    still_blocked(&sender, "a send to a full queue")?;
    expect_eq!("id", receive(p)?.id, 1);
    expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    for id in [2, 3] {
        expect_eq!("id", receive(p)?.id, id);
    }
    release(&[p])?;
    let mut owner = Peer::start()?;
    let (there, here) = full_port_of(&mut owner, 2)?;
    let sender = blocking_send(here, 3);
    still_blocked(&sender, "a send to a full queue of another task")?;
    owner.receive_id(there, 1)?;
    expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    for id in [2, 3] {
        owner.receive_id(there, id)?;
    }
    owner.close()?;
    release(&[here])
}

pub fn r_119_send_once_ignores_the_limit() -> Outcome {
    let p = full_port(1)?;
    for id in 10..20 {
        let once = send_once(p)?;
        expect_code!(Message::to(once, MOVE_SEND_ONCE).id(id).try_send(), MACH_MSG_SUCCESS);
    }
    expect_code!(Message::to(p, MAKE_SEND_ONCE).id(20).try_send(), MACH_MSG_SUCCESS);
    expect_eq!("queued messages", status(p)?.mps_msgcount, 12);
    for id in std::iter::once(1).chain(10..=20) {
        expect_eq!("id", receive(p)?.id, id);
    }
    release(&[p])
}

pub fn r_120_set_limit_refusals() -> Outcome {
    let (p, s) = (port()?, send_only(1)?);
    expect_code!(set_limit(p, 1024), KERN_SUCCESS);
    expect_code!(set_limit(p, 0), KERN_SUCCESS);
    expect_code!(set_limit(p, 9), KERN_SUCCESS);
    let before = snapshot()?;
    for limit in [1025, 65_534, u32::MAX] {
        expect_code!(set_limit(p, limit), KERN_INVALID_VALUE);
    }
    expect_code!(set_limit(s.name, 5), KERN_INVALID_RIGHT);
    expect_code!(set_limit(unknown_name()?, 5), KERN_INVALID_NAME);
    expect_code!(set_attributes(p, MACH_PORT_LIMITS_INFO, &[]), KERN_FAILURE);
    for flavor in [0, 99] {
        expect_code!(set_attributes(p, flavor, &[5]), KERN_INVALID_ARGUMENT);
    }
    unchanged(&before, "a refused set_attributes")?;
    s.release()?;
    release(&[p])
}

pub fn r_121_raising_the_limit_frees_senders() -> Outcome {
    let p = full_port(1)?;
    let mut blocked: Vec<_> = (0..4).map(|i| blocking_send(p, 100 + i)).collect();
    settle(Duration::from_millis(100));
    expect_code!(set_limit(p, 3), KERN_SUCCESS);
    let start = Instant::now();
    while status(p)?.mps_msgcount < 3 {
        expect!(
            start.elapsed().as_secs() < 15,
            "expected two more messages, got {}",
            status(p)?.mps_msgcount
        );
        std::thread::yield_now();
    }
    settle(Duration::from_millis(50));
    expect_eq!("queued messages", status(p)?.mps_msgcount, 3);
    let mut free = 0;
    blocked.retain(|sender| match sender.poll() {
        Some(code) => {
            free += i32::from(code == MACH_MSG_SUCCESS);
            false
        }
        None => true,
    });
    expect_eq!("freed senders", free, 2);
    expect_code!(set_limit(p, 1), KERN_SUCCESS);
    expect_eq!("queued messages under a lower limit", status(p)?.mps_msgcount, 3);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(receive(p)?.id);
    }
    for sender in blocked {
        expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    }
    ids.sort_unstable();
    expect_eq!("ids", ids, vec![1, 100, 101, 102, 103]);
    release(&[p])?;
    // Senders in this task, the port in another.
    let mut owner = Peer::start()?;
    let (there, here) = full_port_of(&mut owner, 1)?;
    let first = blocking_send(here, 2);
    still_blocked(&first, "a send to a full queue of another task")?;
    let second = blocking_send(here, 3);
    still_blocked(&second, "a second send to a full queue of another task")?;
    expect_code!(owner.ask_code(&format!("limit {there} 3"))?, KERN_SUCCESS);
    for sender in [first, second] {
        expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    }
    expect_eq!("queued messages there", owner.ask(&format!("status {there}"))?[4], 3);
    owner.close()?;
    release(&[here])
}

pub fn r_122_limit_zero_always_blocks() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(set_limit(p, 0), KERN_SUCCESS);
    let receiver = background(move || receive(p).map(|message| message.id));
    settle(Duration::from_millis(60));
    expect_code!(Message::to(p, COPY_SEND).id(1).try_send(), MACH_SEND_TIMED_OUT);
    still_blocked(&receiver, "the receiver")?;
    let once = send_once(p)?;
    expect_code!(Message::to(once, MOVE_SEND_ONCE).id(2).try_send(), MACH_MSG_SUCCESS);
    expect_eq!("id", receiver.finish("the receiver")??, 2);
    release(&[p])
}

pub fn r_123_alternating_sends_never_block() -> Outcome {
    const ROUNDS: i32 = 2000;
    let p = port_with_send(1)?;
    expect_code!(set_limit(p, 1), KERN_SUCCESS);
    let (done, received) = std::sync::mpsc::channel();
    let receiver = background(move || -> Outcome {
        for id in 0..ROUNDS {
            expect_eq!("id", receive(p)?.id, id);
            let _ = done.send(());
        }
        Ok(())
    });
    for id in 0..ROUNDS {
        expect_code!(Message::to(p, COPY_SEND).id(id).try_send(), MACH_MSG_SUCCESS);
        if received.recv_timeout(Duration::from_secs(15)).is_err() {
            break;
        }
    }
    receiver.finish("the receiver")??;
    release(&[p])
}

pub fn r_124_order_of_one_sender() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(set_limit(p, 1024), KERN_SUCCESS);
    for id in 1..=1024 {
        expect_code!(Message::to(p, COPY_SEND).id(id).data(&[id as u32]).try_send(), MACH_MSG_SUCCESS);
        expect_eq!("queued messages", status(p)?.mps_msgcount, id as u32);
    }
    for id in 1..=1024 {
        let message = receive(p)?;
        expect_eq!("id", message.id, id);
        expect_eq!("data", message.data(), &[id as u32]);
        expect_eq!("queued messages", status(p)?.mps_msgcount, 1024 - id as u32);
    }
    release(&[p])?;
    // To another task, with far more messages than its queue takes.
    let mut owner = Peer::start()?;
    let (there, here) = owner.new_port()?;
    let sender = background(move || (1..=60).map(|id| Message::to(here, COPY_SEND).id(id).send()).max());
    for id in 1..=60 {
        owner.receive_id(there, id)?;
    }
    expect_eq!("largest code", sender.finish("the sends")?, Some(MACH_MSG_SUCCESS));
    owner.close()?;
    release(&[here])
}

pub fn r_125_timeout_without_its_option() -> Outcome {
    let p = full_port(1)?;
    let sender = background(move || Message::to(p, COPY_SEND).id(2).send_with(0, 1));
    still_blocked(&sender, "a send without the time-out option")?;
    expect_eq!("id", receive(p)?.id, 1);
    expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    expect_eq!("id", receive(p)?.id, 2);
    let receiver = background(move || {
        let mut buffer = Buffer::filled(64, 0);
        let code = receive_with(p, 0, &mut buffer, 64, 1);
        (code, buffer.u32(20))
    });
    still_blocked(&receiver, "a receive without the time-out option")?;
    expect_code!(Message::to(p, COPY_SEND).id(3).send(), MACH_MSG_SUCCESS);
    expect_eq!("code and id", receiver.finish("the receive")?, (MACH_MSG_SUCCESS, 3));
    release(&[p])
}

pub fn r_126_blocked_sender_and_death() -> Outcome {
    retry("a blocked send whose port dies to return success", |pause| {
        let (p, r) = (full_port(1)?, port()?);
        let message = Message::to(p, COPY_SEND).reply(r, MAKE_SEND_ONCE);
        let sender = background(move || message.send_with(0, 0));
        settle(pause);
        expect!(sender.poll().is_none(), "expected a blocked send, got one that returned");
        release(&[p])?;
        let code = sender.finish("the send")?;
        if code == MACH_SEND_INVALID_DEST {
            return release(&[r]).map(|()| false);
        }
        expect_code!(code, MACH_MSG_SUCCESS);
        expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
        quiet(r)?;
        release(&[r])?;
        Ok(true)
    })?;
    retry("a blocked send whose port dies with its task to return success", |pause| {
        let mut owner = Peer::start()?;
        let ((_, here), r) = (full_port_of(&mut owner, 1)?, port()?);
        let message = Message::to(here, COPY_SEND).reply(r, MAKE_SEND_ONCE);
        let sender = background(move || message.send_with(0, 0));
        settle(pause);
        expect!(sender.poll().is_none(), "expected a blocked send, got one that returned");
        owner.kill()?;
        let code = sender.finish("the send")?;
        if code == MACH_MSG_SUCCESS {
            expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
        }
        quiet(r)?;
        owner.close()?;
        release(&[here, r])?;
        expect!(
            code == MACH_MSG_SUCCESS || code == MACH_SEND_INVALID_DEST,
            "expected success, or a dead destination for a thread that was late, got {}",
            code_text(code)
        );
        Ok(code == MACH_MSG_SUCCESS)
    })
}

pub fn r_127_blocked_sender_and_move() -> Outcome {
    // Within the task: through a queue and back.
    let (p, keeper) = (full_port(1)?, port()?);
    let sender = blocking_send(p, 2);
    settle(Duration::from_millis(60));
    keep(p, keeper)?;
    still_blocked(&sender, "a send to a port that moves")?;
    expect_eq!("name that came back", receive(keeper)?.only()?.name, p);
    still_blocked(&sender, "a send to a port that moved")?;
    expect_eq!("id", receive(p)?.id, 1);
    expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    expect_eq!("id", receive(p)?.id, 2);
    release(&[p, keeper])?;
    // To another task.
    let mut owner = Peer::start()?;
    let p = full_port(1)?;
    let sender = blocking_send(p, 2);
    settle(Duration::from_millis(60));
    let there = owner.give(p, MOVE_RECEIVE)?;
    still_blocked(&sender, "a send to a port that moved away")?;
    owner.receive_id(there, 1)?;
    expect_code!(sender.finish("the send")?, MACH_MSG_SUCCESS);
    owner.receive_id(there, 2)?;
    owner.close()?;
    release(&[p])
}

pub fn r_128_dead_destination_costs_nothing() -> Outcome {
    let (s, r, x) = (send_only(2)?, port_with_send(1)?, port()?);
    let once = send_once(x)?;
    s.kill()?;
    let replies = [(r, MAKE_SEND_ONCE), (r, COPY_SEND), (r, MOVE_SEND), (once, MOVE_SEND_ONCE)];
    for (reply, disposition) in replies {
        let message = Message::to(s.name, COPY_SEND).reply(reply, disposition).right(r, COPY_SEND);
        expect_code!(message.try_send(), MACH_SEND_INVALID_DEST);
    }
    expect_eq!("type of the dead destination", kind(s.name)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(s.name, DEAD_NAME)?, 2);
    expect_eq!("send refs of the reply port", send_refs(r)?, 1);
    expect_eq!("send-once rights of the reply port", status(r)?.mps_sorights, 0);
    expect_eq!("type of the reply right", kind(once)?, TYPE_SEND_ONCE);
    quiet(r)?;
    quiet(x)?;
    // A port that died with its task.
    let mut owner = Peer::start()?;
    let (_, here) = owner.new_port()?;
    owner.kill()?;
    Peer::await_death(owner.mailbox)?;
    let message = Message::to(here, COPY_SEND).reply(r, MAKE_SEND_ONCE).right(r, COPY_SEND);
    expect_code!(message.try_send(), MACH_SEND_INVALID_DEST);
    expect_eq!("send-once rights of the reply port", status(r)?.mps_sorights, 0);
    quiet(r)?;
    owner.close()?;
    release(&[here])?;
    release(&[s.name, r, once, x])
}

pub fn r_129_send_once_to_a_dead_port() -> Outcome {
    let (p, r, x) = (port()?, port()?, port()?);
    let (used, seen) = (send_once(p)?, send_once(p)?);
    release(&[p])?;
    let message = Message::to(used, MOVE_SEND_ONCE).reply(r, MAKE_SEND_ONCE).right(x, MAKE_SEND_ONCE);
    expect_code!(message.try_send(), MACH_MSG_SUCCESS);
    expect_freed(used)?;
    expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_notification(x, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_eq!("type of the right that is looked at", kind(seen)?, TYPE_DEAD_NAME);
    expect_code!(Message::to(seen, MOVE_SEND_ONCE).try_send(), MACH_SEND_INVALID_DEST);
    expect_eq!("dead-name refs", refs(seen, DEAD_NAME)?, 1);
    // A port that died with its task. The death is known here, by another right, and not observed in this one.
    let mut owner = Peer::start()?;
    let there = owner.ask_name("allocate 1")?;
    let once = owner.fetch(there, MAKE_SEND_ONCE)?;
    owner.kill()?;
    Peer::await_death(owner.mailbox)?;
    let message = Message::to(once, MOVE_SEND_ONCE).reply(r, MAKE_SEND_ONCE).right(x, MAKE_SEND_ONCE);
    expect_code!(message.try_send(), MACH_MSG_SUCCESS);
    expect_freed(once)?;
    expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_notification(x, MACH_NOTIFY_SEND_ONCE, None)?;
    owner.close()?;
    release(&[seen, r, x])
}
