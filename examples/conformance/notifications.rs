//! dead-name, send-possible, port-destroyed and send-once notifications.

use super::kit::*;
use machipc::mach::*;

const DEAD_NAME_ID: mach_msg_id_t = MACH_NOTIFY_DEAD_NAME;
const SEND_POSSIBLE: mach_msg_id_t = MACH_NOTIFY_SEND_POSSIBLE;
const PORT_DESTROYED: mach_msg_id_t = MACH_NOTIFY_PORT_DESTROYED;

/// A request that fails, of which the send-once right made for it is answered at `notify`.
fn refused(name: Name, id: mach_msg_id_t, sync: u32, notify: Name) -> Outcome<kern_return_t> {
    let (code, _) = request(name, id, sync, notify, MAKE_SEND_ONCE);
    expect!(code != KERN_SUCCESS, "expected a refusal of request {id} on {name:#x}, got success");
    expect_notification(notify, MACH_NOTIFY_SEND_ONCE, None)?;
    Ok(code)
}

pub fn r_061_dead_name_adds_a_reference() -> Outcome {
    let n = port()?;
    let mut peer = Peer::start()?;
    let (there, here) = peer.new_port()?;
    arm(here, DEAD_NAME_ID, 0, n)?;
    quiet(n)?;
    expect_code!(peer.ask_code(&format!("mod_refs {there} {RECEIVE} -1"))?, KERN_SUCCESS);
    expect_notification(n, DEAD_NAME_ID, Some(here))?;
    expect_eq!("type", kind(here)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(here, DEAD_NAME)?, 2);
    expect_code!(deallocate(here), KERN_SUCCESS);
    expect_eq!("dead-name refs", refs(here, DEAD_NAME)?, 1);
    expect_code!(deallocate(here), KERN_SUCCESS);
    expect_freed(here)?;
    quiet(n)?;
    peer.close()?;
    release(&[n])
}

pub fn r_062_dead_name_request_on_dead_name() -> Outcome {
    let (dead, n) = (dead_name(1)?, port()?);
    for sync in [0, 1] {
        let (code, _) = request(dead, DEAD_NAME_ID, sync, n, MAKE_SEND_ONCE);
        if darwin() && sync != 0 && code == KERN_SUCCESS {
            expect_notification(n, DEAD_NAME_ID, Some(dead))?;
            expect_eq!("dead-name refs", refs(dead, DEAD_NAME)?, 2);
            continue;
        }
        expect_code!(code, KERN_INVALID_ARGUMENT);
        expect_notification(n, MACH_NOTIFY_SEND_ONCE, None)?;
        expect_eq!("dead-name refs", refs(dead, DEAD_NAME)?, 1);
    }
    quiet(n)?;
    release(&[dead, n])
}

pub fn r_063_dead_name_cancel_without_request() -> Outcome {
    let s = send_only(1)?;
    let (code, previous) = request(s.name, DEAD_NAME_ID, 0, NULL, MAKE_SEND_ONCE);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("previous request", previous, NULL);
    s.release()
}

pub fn r_064_dead_name_request_shows_in_type() -> Outcome {
    let (p, n) = (port_with_send(1)?, port()?);
    arm(p, DEAD_NAME_ID, 0, n)?;
    expect_eq!("type", kind(p)?, TYPE_SEND | TYPE_RECEIVE | MACH_PORT_TYPE_DNREQUEST);
    let (code, previous) = request(p, DEAD_NAME_ID, 0, NULL, MAKE_SEND_ONCE);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_SEND | TYPE_RECEIVE);
    quiet(n)?;
    expect_code!(deallocate(previous), KERN_SUCCESS);
    expect_notification(n, MACH_NOTIFY_SEND_ONCE, None)?;
    release(&[p, n])
}

pub fn r_065_dead_name_request_on_freed_name() -> Outcome {
    let (s, n) = (send_only(2)?, port()?);
    arm(s.name, DEAD_NAME_ID, 0, n)?;
    expect_code!(deallocate(s.name), KERN_SUCCESS);
    quiet(n)?;
    expect_code!(deallocate(s.name), KERN_SUCCESS);
    expect_notification(n, MACH_NOTIFY_PORT_DELETED, Some(s.name))?;
    expect_freed(s.name)?;
    quiet(n)?;
    let mut owner = Peer::start()?;
    let (_, here) = owner.new_port()?;
    arm(here, DEAD_NAME_ID, 0, n)?;
    expect_code!(deallocate(here), KERN_SUCCESS);
    expect_notification(n, MACH_NOTIFY_PORT_DELETED, Some(here))?;
    owner.close()?;
    quiet(n)?;
    release(&[s.keeper, n])
}

pub fn r_066_dead_name_request_on_used_send_once() -> Outcome {
    let (p, n) = (port()?, port()?);
    let once = send_once(p)?;
    arm(once, DEAD_NAME_ID, 0, n)?;
    expect_code!(Message::to(once, MOVE_SEND_ONCE).id(9).send(), MACH_MSG_SUCCESS);
    expect_notification(n, MACH_NOTIFY_PORT_DELETED, Some(once))?;
    expect_eq!("id", receive(p)?.id, 9);
    release(&[p, n])
}

pub fn r_067_dead_name_request_refusals() -> Outcome {
    let (set, n) = (port_set()?, port()?);
    expect_code!(refused(set, DEAD_NAME_ID, 0, n)?, KERN_INVALID_RIGHT);
    for name in [NULL, DEAD] {
        expect_code!(refused(name, DEAD_NAME_ID, 0, n)?, KERN_INVALID_ARGUMENT);
    }
    expect_code!(refused(unknown_name()?, DEAD_NAME_ID, 0, n)?, KERN_INVALID_NAME);
    quiet(n)?;
    release(&[set, n])
}

pub fn r_068_send_possible() -> Outcome {
    let (p, n) = (port_with_send(1)?, port()?);
    arm(p, SEND_POSSIBLE, 1, n)?;
    expect_notification(n, SEND_POSSIBLE, Some(p))?;
    expect_code!(set_limit(p, 1), KERN_SUCCESS);
    expect_code!(Message::to(p, COPY_SEND).try_send(), MACH_MSG_SUCCESS);
    arm(p, SEND_POSSIBLE, 1, n)?;
    quiet(n)?;
    receive(p)?;
    expect_notification(n, SEND_POSSIBLE, Some(p))?;
    quiet(n)?;
    release(&[p])?;
    // On a port of another task.
    let mut owner = Peer::start()?;
    let there = owner.ask_name("allocate 1")?;
    expect_code!(owner.ask_code(&format!("limit {there} 1"))?, KERN_SUCCESS);
    let here = owner.fetch(there, MAKE_SEND)?;
    arm(here, SEND_POSSIBLE, 1, n)?;
    expect_notification(n, SEND_POSSIBLE, Some(here))?;
    expect_code!(Message::to(here, COPY_SEND).id(68).send(), MACH_MSG_SUCCESS);
    arm(here, SEND_POSSIBLE, 1, n)?;
    quiet_for(n, 50)?;
    owner.receive_id(there, 68)?;
    expect_notification(n, SEND_POSSIBLE, Some(here))?;
    quiet(n)?;
    owner.close()?;
    release(&[here, n])
}

pub fn r_069_send_possible_armed_by_a_send() -> Outcome {
    let (p, n) = (port_with_send(1)?, port()?);
    expect_code!(set_limit(p, 1), KERN_SUCCESS);
    let message = Message::to(p, COPY_SEND);
    expect_code!(message.try_send(), MACH_MSG_SUCCESS);
    arm(p, SEND_POSSIBLE, 0, n)?;
    receive(p)?;
    quiet(n)?;
    expect_code!(message.try_send(), MACH_MSG_SUCCESS);
    // Only the option arms the request.
    expect_code!(message.try_send(), MACH_SEND_TIMED_OUT);
    receive(p)?;
    quiet(n)?;
    expect_code!(message.try_send(), MACH_MSG_SUCCESS);
    expect_code!(message.send_with(MACH_SEND_TIMEOUT | MACH_SEND_NOTIFY, 0), MACH_SEND_TIMED_OUT);
    quiet(n)?;
    receive(p)?;
    expect_notification(n, SEND_POSSIBLE, Some(p))?;
    quiet(n)?;
    release(&[p, n])
}

pub fn r_070_send_possible_on_dead_name() -> Outcome {
    let (dead, n) = (dead_name(1)?, port()?);
    for (sync, refs_after) in [(1, 2), (0, 3)] {
        arm(dead, SEND_POSSIBLE, sync, n)?;
        expect_notification(n, DEAD_NAME_ID, Some(dead))?;
        expect_eq!("dead-name refs", refs(dead, DEAD_NAME)?, refs_after);
    }
    quiet(n)?;
    release(&[dead, n])
}

pub fn r_071_send_possible_and_death() -> Outcome {
    let (p, keeper, n) = (port_with_send(1)?, port()?, port()?);
    expect_code!(set_limit(p, 1), KERN_SUCCESS);
    expect_code!(Message::to(p, COPY_SEND).try_send(), MACH_MSG_SUCCESS);
    keep(p, keeper)?;
    arm(p, SEND_POSSIBLE, 1, n)?;
    quiet(n)?;
    release(&[keeper])?;
    expect_notification(n, DEAD_NAME_ID, Some(p))?;
    expect_eq!("dead-name refs", refs(p, DEAD_NAME)?, 2);
    quiet(n)?;
    release(&[p, n])
}

pub fn r_072_port_destroyed_refusals() -> Outcome {
    let (p, s, dead, n) = (port()?, send_only(1)?, dead_name(1)?, port()?);
    expect_code!(refused(p, PORT_DESTROYED, 1, n)?, KERN_INVALID_VALUE);
    expect_code!(refused(s.name, PORT_DESTROYED, 0, n)?, KERN_INVALID_RIGHT);
    let code = refused(dead, PORT_DESTROYED, 0, n)?;
    expect_code!(code, KERN_INVALID_NAME, older KERN_INVALID_RIGHT);
    arm(p, PORT_DESTROYED, 0, n)?;
    expect!(status(p)?.mps_pdrequest != 0, "expected a port-destroyed request, got none");
    expect_code!(refused(p, PORT_DESTROYED, 0, n)?, KERN_FAILURE);
    expect_code!(request(p, PORT_DESTROYED, 0, NULL, MAKE_SEND_ONCE).0, KERN_FAILURE);
    // Dropped, the port comes back once, and can then be destroyed.
    release(&[p])?;
    let note = receive(n)?;
    expect_eq!("id", note.id, PORT_DESTROYED);
    note.release()?;
    quiet(n)?;
    s.release()?;
    release(&[dead, n])
}

/// A port with a port-destroyed request to `n`, one message received and two queued.
fn survivor(n: Name) -> Outcome<Name> {
    let p = port()?;
    for id in [11, 12, 13] {
        expect_code!(Message::to(p, MAKE_SEND).id(id).send(), MACH_MSG_SUCCESS);
    }
    expect_eq!("id", receive(p)?.id, 11);
    let before = status(p)?;
    expect_eq!("sequence number and make-send count", (before.mps_seqno, before.mps_mscount), (1, 3));
    arm(p, PORT_DESTROYED, 0, n)?;
    Ok(p)
}

/// The survivor as its notification brings it: queue intact, counts new.
fn expect_survivor(n: Name) -> Outcome<Name> {
    let note = receive(n)?;
    expect_eq!("id", note.id, PORT_DESTROYED);
    let right = note.only()?;
    expect_eq!("disposition", right.disposition, MOVE_RECEIVE);
    let p = right.name;
    expect_eq!("receive right", kind(p)? & TYPE_RECEIVE, TYPE_RECEIVE);
    let after = status(p)?;
    expect_eq!("sequence number and make-send count", (after.mps_seqno, after.mps_mscount), (0, 0));
    expect_eq!("queued messages", after.mps_msgcount, 2);
    expect_eq!("port-destroyed request", after.mps_pdrequest, 0);
    for id in [12, 13] {
        expect_eq!("id", receive(p)?.id, id);
    }
    quiet(n)?;
    Ok(p)
}

pub fn r_073_port_destroyed_carries_the_port() -> Outcome {
    let n = port()?;
    let drops: [fn(Name) -> kern_return_t; 3] =
        [|p| mod_refs(p, RECEIVE, -1), destroy, |p| destruct(p, 0, 0)];
    for drop in drops {
        let p = survivor(n)?;
        expect_code!(drop(p), KERN_SUCCESS);
        release(&[expect_survivor(n)?])?;
    }
    let p = survivor(n)?;
    let mut owner = Peer::start()?;
    owner.give(p, MOVE_RECEIVE)?;
    expect_freed(p)?;
    quiet_for(n, 50)?;
    owner.kill()?;
    let back = expect_survivor(n)?;
    owner.close()?;
    release(&[back, n])
}

pub fn r_074_port_destroyed_to_a_dead_port() -> Outcome {
    let (p, n) = (port_with_send(1)?, port()?);
    arm(p, PORT_DESTROYED, 0, n)?;
    release(&[n])?;
    expect_code!(mod_refs(p, RECEIVE, -1), KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_DEAD_NAME);
    release(&[p])
}

pub fn r_075_port_destroyed_keeps_send_rights() -> Outcome {
    let (p, n) = (port_with_send(3)?, port()?);
    arm(p, PORT_DESTROYED, 0, n)?;
    expect_code!(mod_refs(p, RECEIVE, -1), KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_SEND);
    expect_eq!("send refs", send_refs(p)?, 3);
    expect_code!(Message::to(p, COPY_SEND).id(3).send(), MACH_MSG_SUCCESS);
    let note = receive(n)?;
    expect_eq!("name that came back", note.only()?.name, p);
    expect_eq!("type", kind(p)?, TYPE_SEND | TYPE_RECEIVE);
    expect_eq!("id", receive(p)?.id, 3);
    release(&[p, n])
}

/// Demands one send-once notification on `p`, and no second.
fn expect_one_answer(p: Name) -> Outcome {
    expect_notification(p, MACH_NOTIFY_SEND_ONCE, None)?;
    quiet_for(p, 50)?;
    expect_eq!("send-once rights", status(p)?.mps_sorights, 0);
    Ok(())
}

pub fn r_076_send_once_answers_its_destruction() -> Outcome {
    let p = port()?;
    expect_code!(deallocate(send_once(p)?), KERN_SUCCESS);
    expect_one_answer(p)?;
    // As a descriptor, and as the reply right of a message, that are destroyed with their queue.
    let carriers: [fn(Name, Name) -> Message; 2] = [
        |q, p| Message::to(q, MAKE_SEND).right(p, MAKE_SEND_ONCE),
        |q, p| Message::to(q, MAKE_SEND).reply(p, MAKE_SEND_ONCE),
    ];
    for message in carriers {
        let q = port()?;
        expect_code!(message(q, p).send(), MACH_MSG_SUCCESS);
        quiet(p)?;
        release(&[q])?;
        expect_one_answer(p)?;
    }
    for killed in [true, false] {
        let mut peer = Peer::start()?;
        peer.give(p, MAKE_SEND_ONCE)?;
        quiet(p)?;
        if killed {
            peer.kill()?;
        } else {
            peer.exit()?;
        }
        expect_one_answer(p)?;
        peer.close()?;
    }
    // In the hands of a task that got it from another.
    let (mut giver, mut heir) = (Peer::start()?, Peer::start()?);
    let at_giver = giver.give(p, MAKE_SEND_ONCE)?;
    giver.forward(at_giver, MOVE_SEND_ONCE, &mut heir)?;
    giver.exit()?;
    quiet_for(p, 50)?;
    heir.kill()?;
    expect_one_answer(p)?;
    giver.close()?;
    heir.close()?;
    release(&[p])
}

pub fn r_077_used_send_once_is_silent() -> Outcome {
    let p = port()?;
    let once = send_once(p)?;
    expect_code!(Message::to(once, MOVE_SEND_ONCE).id(4).send(), MACH_MSG_SUCCESS);
    expect_freed(once)?;
    expect_eq!("id", receive(p)?.id, 4);
    quiet(p)?;
    let mut peer = Peer::start()?;
    let there = peer.give(p, MAKE_SEND_ONCE)?;
    let order = format!("send {there} {MOVE_SEND_ONCE} 0 0 6 10000");
    expect_code!(peer.ask_code(&order)?, MACH_MSG_SUCCESS);
    peer.exit()?;
    expect_eq!("id", receive(p)?.id, 6);
    quiet_for(p, 100)?;
    peer.close()?;
    let (mut giver, mut heir) = (Peer::start()?, Peer::start()?);
    let at_giver = giver.give(p, MAKE_SEND_ONCE)?;
    let at_heir = giver.forward(at_giver, MOVE_SEND_ONCE, &mut heir)?;
    giver.exit()?;
    let order = format!("send {at_heir} {MOVE_SEND_ONCE} 0 0 8 10000");
    expect_code!(heir.ask_code(&order)?, MACH_MSG_SUCCESS);
    heir.exit()?;
    expect_eq!("id from the heir", receive(p)?.id, 8);
    quiet_for(p, 100)?;
    giver.close()?;
    heir.close()?;
    release(&[p])
}

pub fn r_078_notifications_ignore_the_limit() -> Outcome {
    for limit in [1, 0] {
        let (p, n) = (port_with_send(1)?, port()?);
        expect_code!(set_limit(n, limit), KERN_SUCCESS);
        for _ in 0..limit {
            expect_code!(Message::to(n, MAKE_SEND).id(8).try_send(), MACH_MSG_SUCCESS);
        }
        arm(p, MACH_NOTIFY_NO_SENDERS, 0, n)?;
        expect_code!(deallocate(send_once(n)?), KERN_SUCCESS);
        expect_code!(deallocate(p), KERN_SUCCESS);
        expect_eq!("queued messages", status(n)?.mps_msgcount, limit + 2);
        for _ in 0..limit {
            expect_eq!("id", receive(n)?.id, 8);
        }
        expect_notification(n, MACH_NOTIFY_SEND_ONCE, None)?;
        expect_notification(n, MACH_NOTIFY_NO_SENDERS, Some(1))?;
        release(&[p, n])?;
    }
    Ok(())
}

pub fn r_079_form_of_notifications() -> Outcome {
    let n = port()?;
    let check = |id, size, complex| -> Outcome {
        let note = receive(n)?;
        expect_eq!("id", note.id, id);
        expect_eq!(format!("size of {id}"), note.size, size);
        expect_eq!(format!("bits of {id}"), note.user_bits(), MOVE_SEND_ONCE << 8 | complex);
        expect_eq!(format!("remote port of {id}"), note.remote, NULL);
        expect_eq!(format!("local port of {id}"), note.local, n);
        let trailer = note.trailer();
        expect_eq!(format!("sender of {id}"), trailer.sender, [0, 1]);
        expect_eq!(format!("audit token of {id}"), trailer.audit, [0; 8]);
        if size == 36 {
            expect_eq!(format!("data representation of {id}"), note.buffer.words(24, 2), &[0, 1]);
        }
        note.release()
    };
    let (p, once_of, s) = (port_with_send(1)?, port()?, send_only(1)?);
    let once = send_once(once_of)?;
    arm(once, DEAD_NAME_ID, 0, n)?;
    expect_code!(Message::to(once, MOVE_SEND_ONCE).send(), MACH_MSG_SUCCESS);
    check(MACH_NOTIFY_PORT_DELETED, 36, 0)?;
    arm(p, SEND_POSSIBLE, 1, n)?;
    check(SEND_POSSIBLE, 36, 0)?;
    arm(p, MACH_NOTIFY_NO_SENDERS, 0, n)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    check(MACH_NOTIFY_NO_SENDERS, 36, 0)?;
    arm(p, PORT_DESTROYED, 0, n)?;
    release(&[p])?;
    check(PORT_DESTROYED, 40, MACH_MSGH_BITS_COMPLEX)?;
    expect_code!(deallocate(send_once(n)?), KERN_SUCCESS);
    check(MACH_NOTIFY_SEND_ONCE, 24, 0)?;
    arm(s.name, DEAD_NAME_ID, 0, n)?;
    s.kill()?;
    check(DEAD_NAME_ID, 36, 0)?;
    quiet(n)?;
    release(&[s.name, once_of, n])
}

pub fn r_080_bad_requests() -> Outcome {
    let (p, n, dead) = (port()?, port()?, dead_name(3)?);
    for id in [99, 0, 71] {
        expect_code!(refused(p, id, 0, n)?, KERN_INVALID_VALUE);
    }
    for id in [MACH_NOTIFY_NO_SENDERS, DEAD_NAME_ID] {
        expect_code!(request(p, id, 0, DEAD, MAKE_SEND_ONCE).0, KERN_INVALID_CAPABILITY);
        expect_code!(request(p, id, 0, dead, MOVE_SEND_ONCE).0, KERN_INVALID_CAPABILITY);
    }
    expect_code!(request(p, DEAD_NAME_ID, 0, dead, MAKE_SEND_ONCE).0, KERN_INVALID_RIGHT);
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    expect_eq!("no-senders request", status(p)?.mps_nsrequest, 0);
    release(&[p, n, dead])
}

pub fn r_081_failed_request_consumes_its_right() -> Outcome {
    let (set, n) = (port_set()?, port()?);
    expect_code!(request(set, MACH_NOTIFY_NO_SENDERS, 0, n, MAKE_SEND_ONCE).0, KERN_INVALID_RIGHT);
    expect_one_answer(n)?;
    let once = send_once(n)?;
    expect_code!(request(set, MACH_NOTIFY_NO_SENDERS, 0, once, MOVE_SEND_ONCE).0, KERN_INVALID_RIGHT);
    expect_freed(once)?;
    expect_one_answer(n)?;
    release(&[set, n])
}
