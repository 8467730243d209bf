//! receive rights that move, and what dies with a task.

use super::kit::*;
use machipc::mach::*;
use std::time::Instant;

pub fn r_184_moved_port_keeps_its_queue() -> Outcome {
    let p = port()?;
    let (mut client, mut owner) = (Peer::start()?, Peer::start()?);
    let at_client = client.give(p, MAKE_SEND)?;
    for id in 1..=3 {
        client.send_id(at_client, id)?;
    }
    let at_owner = owner.give(p, MOVE_RECEIVE)?;
    for id in 4..=5 {
        client.send_id(at_client, id)?;
    }
    for id in 1..=5 {
        owner.receive_id(at_owner, id)?;
    }
    client.send_id(at_client, 6)?;
    owner.receive_id(at_owner, 6)?;
    // Back here, with a message in its queue, and on to a third task; the owner in between goes away.
    client.send_id(at_client, 7)?;
    let start = Instant::now();
    while owner.ask(&format!("status {at_owner}"))?[4] == 0 {
        expect!(start.elapsed().as_secs() < 15, "expected the message in the owner's queue, got none");
    }
    let back = owner.fetch(at_owner, MOVE_RECEIVE)?;
    owner.exit()?;
    client.send_id(at_client, 8)?;
    let mut heir = Peer::start()?;
    let at_heir = heir.give(back, MOVE_RECEIVE)?;
    client.send_id(at_client, 9)?;
    for id in 7..=9 {
        heir.receive_id(at_heir, id)?;
    }
    let answer = heir.ask(&format!("status {at_heir}"))?;
    expect_eq!("queued messages at the heir", answer[4], 0);
    client.close()?;
    owner.close()?;
    heir.close()
}

pub fn r_185_port_in_transit_accepts_messages() -> Outcome {
    let (p, keeper) = (port_with_send(1)?, port()?);
    keep(p, keeper)?;
    for id in 1..=5 {
        expect_code!(Message::to(p, COPY_SEND).id(id).try_send(), MACH_MSG_SUCCESS);
    }
    expect_code!(Message::to(p, COPY_SEND).id(6).try_send(), MACH_SEND_TIMED_OUT);
    expect_eq!("name that came back", receive(keeper)?.only()?.name, p);
    for id in 1..=5 {
        expect_eq!("id", receive(p)?.id, id);
    }
    quiet(p)?;
    // In the queue of another task's port.
    let mut owner = Peer::start()?;
    owner.post(p, MOVE_RECEIVE)?;
    let message = |id: i32| Message::to(p, COPY_SEND).id(id).data(&[id as u32]);
    for id in 1..=5 {
        expect_code!(message(id).send(), MACH_MSG_SUCCESS);
    }
    expect_code!(message(6).send_with(MACH_SEND_TIMEOUT, 100), MACH_SEND_TIMED_OUT);
    let there = owner.collect()?;
    for id in 1..=5 {
        owner.receive_id(there, id)?;
    }
    expect_code!(message(7).send(), MACH_MSG_SUCCESS);
    owner.receive_id(there, 7)?;
    owner.close()?;
    release(&[p, keeper])
}

pub fn r_186_cycles_of_ports_die() -> Outcome {
    let p = port_with_send(2)?;
    expect_code!(Message::to(p, COPY_SEND).right(p, MOVE_RECEIVE).send(), MACH_MSG_SUCCESS);
    expect_eq!("type of a port sent to itself", kind(p)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(p, DEAD_NAME)?, 2);
    for length in [2, 3, 10] {
        let mut ring = Vec::new();
        for _ in 0..length {
            ring.push(port_with_send(1)?);
        }
        for i in 0..length {
            let next = ring[(i + 1) % length];
            let message = Message::to(next, COPY_SEND).right(ring[i], MOVE_RECEIVE);
            expect_code!(message.send(), MACH_MSG_SUCCESS);
        }
        for &member in &ring {
            expect_eq!(format!("type of a port in a cycle of {length}"), kind(member)?, TYPE_DEAD_NAME);
        }
        release(&ring)?;
    }
    // A cycle through two tasks.
    let mut peer = Peer::start()?;
    let a = port_with_send(1)?;
    let a_there = peer.give(a, COPY_SEND)?;
    let (b_there, b) = peer.new_port()?;
    expect_code!(peer.ask_code(&format!("insert {b_there} {b_there} {MAKE_SEND}"))?, KERN_SUCCESS);
    expect_code!(Message::to(b, COPY_SEND).right(a, MOVE_RECEIVE).send(), MACH_MSG_SUCCESS);
    let order = format!("send {a_there} {COPY_SEND} 0 0 1 10000 right {b_there} {MOVE_RECEIVE}");
    expect_code!(peer.ask_code(&order)?, MACH_MSG_SUCCESS);
    Peer::await_death(a)?;
    Peer::await_death(b)?;
    for name in [a_there, b_there] {
        let start = Instant::now();
        while peer.ask(&format!("type {name}"))? != [0, i64::from(TYPE_DEAD_NAME)] {
            expect!(start.elapsed().as_secs() < 15, "expected a dead name at the other task, got a live one");
        }
    }
    peer.close()?;
    release(&[p, a, b])
}

pub fn r_187_no_senders_request_moves_along() -> Outcome {
    let (p, n) = (port_with_send(1)?, port()?);
    arm(p, MACH_NOTIFY_NO_SENDERS, 0, n)?;
    expect_eq!("make-send count", status(p)?.mps_mscount, 1);
    let mut owner = Peer::start()?;
    let there = owner.give(p, MOVE_RECEIVE)?;
    let answer = owner.ask(&format!("status {there}"))?;
    expect_eq!("code and make-send count at the new owner", (answer[0], answer[2]), (0, 0));
    expect!(answer[6] != 0, "expected an armed request at the new owner, got none");
    quiet_for(n, 50)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    expect_notification(n, MACH_NOTIFY_NO_SENDERS, Some(0))?;
    quiet(n)?;
    owner.close()?;
    release(&[n])
}

pub fn r_188_what_dies_with_a_task() -> Outcome {
    for killed in [true, false] {
        let (p, x, y, n) = (port()?, port()?, port()?, port()?);
        let mut task = Peer::start()?;
        let (_, here) = task.new_port()?;
        let (there, silent) = task.new_port()?;
        arm(here, MACH_NOTIFY_DEAD_NAME, 0, n)?;
        task.give(x, MAKE_SEND_ONCE)?;
        task.give(p, MAKE_SEND)?;
        arm(p, MACH_NOTIFY_NO_SENDERS, 0, n)?;
        // A message that nobody will receive, with a right in it and a right to be answered by.
        let message = Message::to(silent, COPY_SEND).reply(y, MAKE_SEND_ONCE).right(y, MAKE_SEND_ONCE);
        expect_code!(message.send(), MACH_MSG_SUCCESS);
        expect_eq!("queued messages at the task", task.ask(&format!("status {there}"))?[4], 1);
        quiet_for(n, 20)?;
        if killed {
            task.kill()?;
        } else {
            task.exit()?;
        }
        expect_notification(x, MACH_NOTIFY_SEND_ONCE, None)?;
        for _ in 0..2 {
            expect_notification(y, MACH_NOTIFY_SEND_ONCE, None)?;
        }
        let mut came = Vec::new();
        for _ in 0..2 {
            let note = receive(n)?;
            came.push((note.id, note.value()));
        }
        came.sort_unstable();
        expect_eq!("notifications", came, vec![(MACH_NOTIFY_NO_SENDERS, 1), (MACH_NOTIFY_DEAD_NAME, here)]);
        Peer::await_death(silent)?;
        expect_eq!(
            "dead-name refs with and without a request",
            (refs(here, DEAD_NAME)?, refs(silent, DEAD_NAME)?),
            (2, 1)
        );
        for name in [x, y, n] {
            quiet_for(name, 20)?;
        }
        task.close()?;
        release(&[p, x, y, n, here, silent])?;
    }
    Ok(())
}

/// Depth of the chain.
const DEPTH: usize = 100_000;

pub fn r_189_long_chain_of_queued_ports() -> Outcome {
    let mut resident = Vec::new();
    for _ in 0..3 {
        let innermost = port_with_send(1)?;
        let mut outer = innermost;
        for _ in 0..DEPTH {
            let next = port()?;
            let message = Message::to(next, MAKE_SEND).right(outer, MOVE_RECEIVE);
            expect_code!(message.try_send(), MACH_MSG_SUCCESS);
            outer = next;
        }
        release(&[outer])?;
        expect_eq!("type of a right to the innermost port", kind(innermost)?, TYPE_DEAD_NAME);
        release(&[innermost])?;
        resident.extend(resident_bytes());
    }
    // Where the system shows it: what the first chain took is used again by the others. A sanitizer keeps it to itself.
    if let [first, _, last] = resident[..]
        && !cfg!(machipc_sanitizer)
    {
        let growth = last.saturating_sub(first);
        expect!(
            growth < 16 << 20,
            "expected memory to be used again, got {growth} bytes more after two chains"
        );
    }
    Ok(())
}

/// Resident memory of this process, where the system has it in a file.
fn resident_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size().ok()? as usize)
}
