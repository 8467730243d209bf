//! port sets.

use super::kit::*;
use machipc::mach::*;
use std::time::Duration;

/// A set with these members.
fn set_of(ports: &[Name]) -> Outcome<Name> {
    let set = port_set()?;
    for &port in ports {
        expect_code!(insert_member(port, set), KERN_SUCCESS);
    }
    Ok(set)
}

/// A receive without time-out on its own thread: code, id, and the name in the local field.
fn blocking_receive(name: Name) -> Background<(mach_msg_return_t, u32, Name)> {
    background(move || {
        let mut buffer = Buffer::filled(256, 0);
        let code = receive_with(name, 0, &mut buffer, 256, 0);
        (code, buffer.u32(20), buffer.u32(12))
    })
}

pub fn r_163_insert_member() -> Outcome {
    let (p, set, s, unknown) = (port()?, port_set()?, send_only(1)?, unknown_name()?);
    let once = send_once(p)?;
    expect_code!(insert_member(p, set), KERN_SUCCESS);
    expect_eq!("membership", status(p)?.mps_pset, 1);
    expect_eq!("members", members(set)?, vec![p]);
    let before = snapshot()?;
    expect_code!(insert_member(p, set), KERN_ALREADY_IN_SET);
    for name in [s.name, once, set] {
        expect_code!(insert_member(name, set), KERN_INVALID_RIGHT);
    }
    for not_a_set in [p, s.name, once] {
        expect_code!(insert_member(p, not_a_set), KERN_INVALID_RIGHT);
    }
    expect_code!(insert_member(unknown, set), KERN_INVALID_NAME);
    expect_code!(insert_member(p, unknown), KERN_INVALID_NAME);
    expect_code!(insert_member(NULL, set), KERN_INVALID_RIGHT);
    expect_code!(insert_member(p, NULL), KERN_INVALID_RIGHT);
    unchanged(&before, "a refused insert_member")?;
    s.release()?;
    release(&[once, p, set])
}

pub fn r_164_port_in_two_sets() -> Outcome {
    let p = port_with_send(1)?;
    let (a, b) = (set_of(&[p])?, set_of(&[p])?);
    for (first, second) in [(a, b), (b, a)] {
        expect_code!(Message::to(p, COPY_SEND).id(64).send(), MACH_MSG_SUCCESS);
        expect_eq!("id", receive(first)?.id, 64);
        quiet(second)?;
        quiet(p)?;
    }
    release(&[p, a, b])
}

pub fn r_165_extract_member() -> Outcome {
    let (p, other) = (port()?, port()?);
    let (a, b) = (set_of(&[other])?, port_set()?);
    expect_code!(extract_member(p, a), KERN_NOT_IN_SET);
    expect_code!(move_member(p, NULL), KERN_NOT_IN_SET, older KERN_SUCCESS);
    for set in [a, b] {
        expect_code!(insert_member(p, set), KERN_SUCCESS);
    }
    expect_code!(extract_member(p, a), KERN_SUCCESS);
    expect_eq!("members", (members(a)?, members(b)?), (vec![other], vec![p]));
    expect_code!(insert_member(p, a), KERN_SUCCESS);
    expect_code!(move_member(p, NULL), KERN_SUCCESS);
    expect_eq!("members", (members(a)?, members(b)?), (vec![other], vec![]));
    expect_eq!("membership", status(p)?.mps_pset, 0);
    release(&[p, other, a, b])
}

pub fn r_166_move_member() -> Outcome {
    let p = port_with_send(1)?;
    let (a, b, c) = (set_of(&[p])?, port_set()?, set_of(&[p])?);
    for _ in 0..2 {
        expect_code!(move_member(p, b), KERN_SUCCESS);
        expect_eq!("members", (members(a)?, members(b)?, members(c)?), (vec![], vec![p], vec![]));
    }
    expect_code!(Message::to(p, COPY_SEND).id(66).send(), MACH_MSG_SUCCESS);
    quiet(a)?;
    quiet(c)?;
    expect_eq!("id", receive(b)?.id, 66);
    release(&[p, a, b, c])
}

pub fn r_167_set_receive_names_the_member() -> Outcome {
    let ports = [port_with_send(1)?, port_with_send(1)?, port_with_send(1)?];
    let set = set_of(&ports)?;
    for (id, &member) in ports.iter().enumerate() {
        expect_code!(Message::to(member, COPY_SEND).id(id as i32).send(), MACH_MSG_SUCCESS);
        let message = receive(set)?;
        expect_eq!("local", message.local, member);
        expect_eq!("id", message.id, id as i32);
    }
    release(&ports)?;
    release(&[set])
}

pub fn r_168_set_receive_rotates() -> Outcome {
    const EACH: usize = 50;
    let ports = [port_with_send(1)?, port_with_send(1)?];
    for member in ports {
        expect_code!(set_limit(member, EACH as u32), KERN_SUCCESS);
    }
    let set = set_of(&ports)?;
    for id in 0..EACH {
        for member in ports {
            expect_code!(Message::to(member, COPY_SEND).id(id as i32).try_send(), MACH_MSG_SUCCESS);
        }
    }
    let mut order = Vec::new();
    let mut next = [0, 0];
    for _ in 0..2 * EACH {
        let message = receive(set)?;
        let which = usize::from(message.local == ports[1]);
        expect_eq!("id", message.id, next[which]);
        next[which] += 1;
        order.push(which);
    }
    if !darwin() {
        let repeats = order.windows(2).filter(|pair| pair[0] == pair[1]).count();
        expect_eq!("messages of one member twice in turn", repeats, 0);
    }
    quiet(set)?;
    release(&ports)?;
    release(&[set])
}

pub fn r_169_inserting_a_port_wakes_the_waiter() -> Outcome {
    let p = port_with_send(1)?;
    let set = port_set()?;
    expect_code!(Message::to(p, COPY_SEND).id(69).send(), MACH_MSG_SUCCESS);
    let waiter = blocking_receive(set);
    still_blocked(&waiter, "a receive from an empty set")?;
    expect_code!(insert_member(p, set), KERN_SUCCESS);
    expect_eq!("code, id and member", waiter.finish("the receive")?, (MACH_MSG_SUCCESS, 69, p));
    release(&[p, set])
}

pub fn r_170_waiter_outlives_members() -> Outcome {
    let (removed, destroyed, kept) = (port()?, port()?, port_with_send(1)?);
    let set = set_of(&[removed, destroyed])?;
    let waiter = blocking_receive(set);
    settle(Duration::from_millis(60));
    expect_code!(extract_member(removed, set), KERN_SUCCESS);
    still_blocked(&waiter, "a receive whose set lost a member")?;
    release(&[destroyed])?;
    still_blocked(&waiter, "a receive of which a member died")?;
    expect_code!(insert_member(kept, set), KERN_SUCCESS);
    expect_code!(Message::to(kept, COPY_SEND).id(70).send(), MACH_MSG_SUCCESS);
    expect_eq!("code, id and member", waiter.finish("the receive")?, (MACH_MSG_SUCCESS, 70, kept));
    release(&[removed, kept, set])
}

pub fn r_171_destroyed_set_wakes_the_waiter() -> Outcome {
    let p = port_with_send(1)?;
    retry("a receive to end when its set dies", |pause| {
        let set = set_of(&[p])?;
        let waiter = blocking_receive(set);
        settle(pause);
        release(&[set])?;
        match waiter.finish("the receive")?.0 {
            MACH_RCV_INVALID_NAME => Ok(false),
            MACH_RCV_PORT_CHANGED | MACH_RCV_PORT_DIED => Ok(true),
            code => {
                fail!("expected a receive = {}, got {}", code_text(MACH_RCV_PORT_CHANGED), code_text(code))
            }
        }
    })?;
    expect_eq!("membership", status(p)?.mps_pset, 0);
    expect_code!(Message::to(p, COPY_SEND).id(71).send(), MACH_MSG_SUCCESS);
    expect_eq!("id", receive(p)?.id, 71);
    release(&[p])
}

pub fn r_172_moved_right_leaves_its_sets() -> Outcome {
    let (p, q) = (port_with_send(1)?, port_with_send(1)?);
    let set = set_of(&[p])?;
    expect_code!(Message::to(q, COPY_SEND).right(p, MOVE_RECEIVE).send(), MACH_MSG_SUCCESS);
    expect_eq!("members", members(set)?, Vec::new());
    expect_code!(Message::to(p, COPY_SEND).id(72).send(), MACH_MSG_SUCCESS);
    quiet(set)?;
    expect_eq!("name that came back", receive(q)?.only()?.name, p);
    expect_eq!("membership", status(p)?.mps_pset, 0);
    quiet(set)?;
    expect_eq!("id", receive(p)?.id, 72);
    // To another task and back.
    expect_code!(insert_member(p, set), KERN_SUCCESS);
    let mut peer = Peer::start()?;
    let there = peer.give(p, MOVE_RECEIVE)?;
    expect_eq!("members", members(set)?, Vec::new());
    expect_eq!("name that came back", peer.fetch(there, MOVE_RECEIVE)?, p);
    expect_eq!("membership", status(p)?.mps_pset, 0);
    peer.close()?;
    release(&[p, q, set])
}
