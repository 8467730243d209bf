//! what received rights become.

use super::kit::*;
use machipc::mach::*;

pub fn r_156_send_right_joins_the_receive_right() -> Outcome {
    let (p, q) = (port()?, port_with_send(1)?);
    expect_code!(Message::to(q, COPY_SEND).right(p, MAKE_SEND).send(), MACH_MSG_SUCCESS);
    expect_eq!("name", receive(q)?.only()?.name, p);
    expect_eq!("type", kind(p)?, TYPE_SEND | TYPE_RECEIVE);
    expect_eq!("send refs", send_refs(p)?, 1);
    // By way of another task.
    let mut peer = Peer::start()?;
    let there = peer.give(p, COPY_SEND)?;
    let back = peer.fetch(there, COPY_SEND)?;
    expect_eq!("name from another task", back, p);
    expect_eq!("send refs", send_refs(p)?, 2);
    let back = peer.fetch(there, MOVE_SEND)?;
    expect_eq!("name from another task", back, p);
    expect_eq!("send refs", send_refs(p)?, 3);
    // By way of two other tasks.
    let mut second = Peer::start()?;
    let there = peer.give(p, COPY_SEND)?;
    let at_second = peer.forward(there, MOVE_SEND, &mut second)?;
    expect_eq!("name from a third task", second.fetch(at_second, MOVE_SEND)?, p);
    expect_eq!("send refs", send_refs(p)?, 4);
    second.close()?;
    peer.close()?;
    release(&[p, q])
}

pub fn r_157_send_rights_coalesce() -> Outcome {
    let (q, s) = (port_with_send(1)?, send_only(1)?);
    for urefs in 2..=5 {
        expect_code!(Message::to(q, COPY_SEND).right(s.name, COPY_SEND).send(), MACH_MSG_SUCCESS);
        expect_eq!("name", receive(q)?.only()?.name, s.name);
        expect_eq!("send refs", send_refs(s.name)?, urefs);
    }
    let mut peer = Peer::start()?;
    let (there, here) = peer.new_port()?;
    for urefs in 2..=4 {
        expect_eq!("name from another task", peer.fetch(there, MAKE_SEND)?, here);
        expect_eq!("send refs", send_refs(here)?, urefs);
    }
    let mut once = Vec::new();
    for _ in 0..4 {
        let name = peer.fetch(there, MAKE_SEND_ONCE)?;
        expect!(
            name != here && !once.contains(&name),
            "expected a new name for each send-once right, got {name:#x}"
        );
        expect_eq!("type", kind(name)?, TYPE_SEND_ONCE);
        once.push(name);
    }
    release(&once)?;
    // Their port is told of each.
    for _ in 0..4 {
        peer.receive_id(there, MACH_NOTIFY_SEND_ONCE)?;
    }
    // A third task gets the same right from this one twice, and from its owner.
    let mut third = Peer::start()?;
    let at_third = third.give(here, COPY_SEND)?;
    expect_eq!("name at a third task", third.give(here, COPY_SEND)?, at_third);
    expect_eq!("name of what the owner gives", peer.forward(there, MAKE_SEND, &mut third)?, at_third);
    expect_eq!("refs there", third.ask(&format!("refs {at_third} {SEND}"))?, vec![0, 3]);
    third.send_id(at_third, 57)?;
    peer.receive_id(there, 57)?;
    // Back at its owner it joins the receive right.
    expect_eq!("name at the owner", third.forward(at_third, COPY_SEND, &mut peer)?, there);
    expect_eq!("refs at the owner", peer.ask(&format!("refs {there} {SEND}"))?, vec![0, 1]);
    third.close()?;
    release(&[here, q])?;
    peer.close()?;
    s.release()
}

pub fn r_158_receive_right_joins_send_rights() -> Outcome {
    let s = send_only(3)?;
    expect_eq!("name", s.recover()?, s.name);
    expect_eq!("type", kind(s.name)?, TYPE_SEND | TYPE_RECEIVE);
    expect_eq!("send refs", send_refs(s.name)?, 3);
    let mut peer = Peer::start()?;
    let (there, here) = peer.new_port()?;
    expect_code!(mod_refs(here, SEND, 1), KERN_SUCCESS);
    expect_eq!("name from another task", peer.fetch(there, MOVE_RECEIVE)?, here);
    expect_eq!("type", kind(here)?, TYPE_SEND | TYPE_RECEIVE);
    expect_eq!("send refs", send_refs(here)?, 2);
    expect_code!(Message::to(here, COPY_SEND).id(58).send(), MACH_MSG_SUCCESS);
    expect_eq!("id", receive(here)?.id, 58);
    release(&[here])?;
    peer.close()?;
    s.release()
}

pub fn r_159_right_dies_in_a_queue() -> Outcome {
    let (q, s, x) = (port_with_send(1)?, send_only(1)?, port()?);
    let names = Region::new(8)?;
    names.write_names(&[s.name, s.name]);
    let message = Message::to(q, COPY_SEND).right(s.name, COPY_SEND).right(x, MAKE_SEND_ONCE).rights_at(
        names.address,
        2,
        COPY_SEND,
        MACH_MSG_VIRTUAL_COPY,
        1,
    );
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    s.kill()?;
    release(&[x])?;
    let received = receive(q)?;
    let got: Vec<_> = received.descriptors[..2].iter().map(|right| (right.name, right.disposition)).collect();
    expect_eq!("names and dispositions", got, vec![(DEAD, MOVE_SEND), (DEAD, MOVE_SEND_ONCE)]);
    expect_eq!("disposition of the array", received.descriptors[2].disposition, MOVE_SEND);
    expect_eq!("names of the array", received.descriptors[2].region().into_words()?, vec![DEAD, DEAD]);
    release(&[s.name])?;
    // A port of another task.
    let mut peer = Peer::start()?;
    let (_, here) = peer.new_port()?;
    expect_code!(Message::to(q, COPY_SEND).right(here, COPY_SEND).send(), MACH_MSG_SUCCESS);
    peer.kill()?;
    Peer::await_death(here)?;
    let right = receive(q)?.only()?;
    expect_eq!("name and disposition", (right.name, right.disposition), (DEAD, MOVE_SEND));
    peer.close()?;
    release(&[here, q])
}

pub fn r_160_reply_port_dies_in_a_queue() -> Outcome {
    let p = port_with_send(1)?;
    for (made, seen) in [(MAKE_SEND_ONCE, MOVE_SEND_ONCE), (MAKE_SEND, MOVE_SEND)] {
        let r = port()?;
        expect_code!(Message::to(p, COPY_SEND).reply(r, made).id(60).send(), MACH_MSG_SUCCESS);
        release(&[r])?;
        let message = receive(p)?;
        expect_eq!("remote", message.remote, DEAD);
        expect_eq!("bits", message.user_bits(), seen | MOVE_SEND << 8);
        expect_eq!("id", message.id, 60);
    }
    // The reply port of another task, which dies with it.
    let mut peer = Peer::start()?;
    let there = peer.ask_name("allocate 1")?;
    let order = format!("send {} {COPY_SEND} {there} {MAKE_SEND_ONCE} 61 10000", peer.inbox_there);
    expect_code!(peer.ask_code(&order)?, MACH_MSG_SUCCESS);
    peer.kill()?;
    Peer::await_death(peer.mailbox)?;
    let message = receive(peer.inbox)?;
    expect_eq!("id", message.id, 61);
    expect_eq!("remote", message.remote, DEAD);
    expect_eq!("bits", message.user_bits(), MOVE_SEND_ONCE | MOVE_SEND << 8);
    peer.close()?;
    release(&[p])
}

const GUARD: u64 = 0x55_0000_4321;

pub fn r_161_guarded_descriptor() -> Outcome {
    let q = port_with_send(1)?;
    let immovable = MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE;
    let both = immovable | MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND;
    for (flags, context) in [(immovable, GUARD), (both, 0)] {
        let made = || -> Outcome<Name> {
            let guard = if context == 0 { 0 } else { MPO_CONTEXT_AS_GUARD };
            let (code, p) = construct(MPO_INSERT_SEND_RIGHT | guard, 0, context);
            expect_code!(code, KERN_SUCCESS);
            let message = Message::to(q, COPY_SEND).guarded(p, MOVE_RECEIVE, flags, context);
            expect_code!(message.send(), MACH_MSG_SUCCESS);
            expect_eq!("type of the name that is left", kind(p)?, TYPE_SEND);
            Ok(p)
        };
        let p = made()?;
        let right = receive(q)?.only()?;
        expect_eq!("kind", right.kind, MACH_MSG_GUARDED_PORT_DESCRIPTOR);
        expect_eq!("name and context without the option", (right.name, right.context), (NULL, 0));
        expect_eq!("type of a name whose port was destroyed", kind(p)?, TYPE_DEAD_NAME);
        release(&[p])?;
        let p = made()?;
        let mut buffer = Buffer::filled(128, 0);
        let option = MACH_RCV_TIMEOUT | MACH_RCV_GUARDED_DESC;
        expect_code!(receive_with(q, option, &mut buffer, 128, 0), MACH_MSG_SUCCESS);
        let address = buffer.address();
        let right = Received::parse(buffer)?.only()?;
        expect_eq!("name and context with the option", (right.name, right.context), (p, address));
        expect_eq!("disposition and flags", (right.disposition, right.flags), (MOVE_RECEIVE, immovable));
        expect_eq!("type", kind(p)?, TYPE_SEND | TYPE_RECEIVE);
        let marks = MACH_PORT_STATUS_FLAG_GUARDED | MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE;
        expect_eq!("flags of the status", status(p)?.mps_flags & marks, marks);
        expect_eq!("context", get_context(p), (KERN_SUCCESS, address));
        expect_code!(unguard(p, address), KERN_SUCCESS);
        release(&[p])?;
    }
    release(&[q])
}

pub fn r_162_unwritable_buffer() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).id(62).send(), MACH_MSG_SUCCESS);
    expect_code!(receive_into_a_hole(p)?, MACH_RCV_INVALID_DATA);
    expect_eq!("queued messages", status(p)?.mps_msgcount, 0);
    quiet(p)?;
    release(&[p])
}
