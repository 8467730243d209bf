//! how the body's rights and memory are taken.

use super::kit::*;
use machipc::mach::*;

const ALL: [u32; 6] = [MOVE_RECEIVE, MOVE_SEND, MOVE_SEND_ONCE, COPY_SEND, MAKE_SEND, MAKE_SEND_ONCE];
/// What a receiver sees of each of [`ALL`].
const RECEIVED: [u32; 6] = [MOVE_RECEIVE, MOVE_SEND, MOVE_SEND_ONCE, MOVE_SEND, MOVE_SEND, MOVE_SEND_ONCE];

pub fn r_103_body_right_unknown_or_wrong() -> Outcome {
    let (q, p, s, set, unknown) = (port_with_send(1)?, port()?, send_only(1)?, port_set()?, unknown_name()?);
    let once = send_once(p)?;
    let cases = [
        (unknown, &ALL[..]),
        (set, &ALL[..]),
        (p, &[MOVE_SEND, MOVE_SEND_ONCE, COPY_SEND]),
        (s.name, &[MOVE_RECEIVE, MOVE_SEND_ONCE, MAKE_SEND, MAKE_SEND_ONCE]),
        (once, &[MOVE_RECEIVE, MOVE_SEND, COPY_SEND, MAKE_SEND, MAKE_SEND_ONCE]),
    ];
    let before = snapshot()?;
    for (name, dispositions) in cases {
        for &disposition in dispositions {
            let code = Message::to(q, COPY_SEND).right(name, disposition).try_send();
            let want = MACH_SEND_INVALID_RIGHT;
            expect!(
                code == want,
                "expected {disposition} of {name:#x} = {}, got {}",
                code_text(want),
                code_text(code)
            );
        }
    }
    unchanged(&before, "a refused body right")?;
    s.release()?;
    release(&[once, q, p, set])
}

pub fn r_104_what_a_bad_body_costs() -> Outcome {
    let (s, unknown) = (send_only(2)?, unknown_name()?);
    expect_code!(
        Message::to(s.name, MOVE_SEND).right(unknown, COPY_SEND).try_send(),
        MACH_SEND_INVALID_RIGHT
    );
    expect_eq!("send refs after a move", send_refs(s.name)?, 1);
    expect_code!(
        Message::to(s.name, COPY_SEND).right(unknown, COPY_SEND).try_send(),
        MACH_SEND_INVALID_RIGHT
    );
    expect_eq!("send refs after a copy", send_refs(s.name)?, 1);
    // Rights that the body moved before the fault are destroyed.
    let (moved, p, r) = (send_only(2)?, port()?, port_with_send(1)?);
    let once = send_once(p)?;
    let message = Message::to(s.name, COPY_SEND)
        .right(moved.name, MOVE_SEND)
        .right(once, MOVE_SEND_ONCE)
        .right(r, MOVE_RECEIVE)
        .right(unknown, COPY_SEND);
    expect_code!(message.try_send(), MACH_SEND_INVALID_RIGHT);
    expect_eq!("send refs of a moved right", send_refs(moved.name)?, 1);
    expect_freed(once)?;
    expect_notification(p, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_eq!("type of a right whose port went with the message", kind(r)?, TYPE_DEAD_NAME);
    expect_code!(
        Message::to(s.name, MOVE_SEND).right(unknown, COPY_SEND).try_send(),
        MACH_SEND_INVALID_RIGHT
    );
    expect_freed(s.name)?;
    moved.release()?;
    release(&[s.keeper, p, r])
}

pub fn r_105_bad_body_answers_the_reply_right() -> Outcome {
    let (p, r, unknown) = (port_with_send(1)?, port()?, unknown_name()?);
    let message = Message::to(p, COPY_SEND).reply(r, MAKE_SEND_ONCE).right(unknown, COPY_SEND);
    expect_code!(message.try_send(), MACH_SEND_INVALID_RIGHT);
    expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
    quiet(r)?;
    quiet(p)?;
    expect_eq!("send-once rights", status(r)?.mps_sorights, 0);
    release(&[p, r])
}

pub fn r_106_null_and_dead_pass_through() -> Outcome {
    let p = port_with_send(1)?;
    for name in [NULL, DEAD] {
        let message = ALL.iter().fold(Message::to(p, COPY_SEND), |message, &d| message.right(name, d));
        expect_code!(message.send(), MACH_MSG_SUCCESS);
        let received = receive(p)?;
        for (descriptor, (sent, want)) in received.descriptors.iter().zip(ALL.iter().zip(RECEIVED)) {
            expect_eq!(format!("name sent by {sent}"), descriptor.name, name);
            expect_eq!(format!("disposition of {sent}"), descriptor.disposition, want);
        }
        expect_eq!("descriptors", received.descriptors.len(), ALL.len());
    }
    release(&[p])
}

pub fn r_107_dead_names_in_a_body() -> Outcome {
    let (p, dead) = (port_with_send(1)?, dead_name(5)?);
    for (disposition, left) in [(MOVE_SEND, 4), (MOVE_SEND_ONCE, 3), (COPY_SEND, 3)] {
        expect_code!(Message::to(p, COPY_SEND).right(dead, disposition).send(), MACH_MSG_SUCCESS);
        let right = receive(p)?.only()?;
        expect_eq!(format!("name sent by {disposition}"), right.name, DEAD);
        expect_eq!(format!("dead-name refs after {disposition}"), refs(dead, DEAD_NAME)?, left);
    }
    let before = snapshot()?;
    for disposition in [MOVE_RECEIVE, MAKE_SEND, MAKE_SEND_ONCE] {
        let message = Message::to(p, COPY_SEND).right(dead, disposition);
        expect_code!(message.try_send(), MACH_SEND_INVALID_RIGHT);
    }
    unchanged(&before, "a refused dead name")?;
    release(&[p, dead])
}

pub fn r_108_unknown_body_disposition() -> Outcome {
    let (p, live) = (port_with_send(1)?, port_with_send(1)?);
    let before = snapshot()?;
    expect_code!(Message::to(p, COPY_SEND).right(live, 22).try_send(), MACH_SEND_INVALID_RIGHT);
    unchanged(&before, "a refused disposition")?;
    expect_code!(Message::to(p, COPY_SEND).right(NULL, 22).send(), MACH_MSG_SUCCESS);
    let right = receive(p)?.only()?;
    expect_eq!("name and disposition", (right.name, right.disposition), (NULL, 0));
    release(&[p, live])
}

pub fn r_109_memory_with_a_hole() -> Outcome {
    let (p, r) = (port_with_send(1)?, port()?);
    let region = Region::patterned(4 * PAGE_STEP, 1)?;
    let hole = region.part(PAGE_STEP, PAGE_STEP);
    hole.free()?;
    for copy in [MACH_MSG_VIRTUAL_COPY, MACH_MSG_PHYSICAL_COPY] {
        let message = Message::to(p, COPY_SEND).reply(r, MAKE_SEND_ONCE).memory(region, copy, 0);
        expect_code!(message.try_send(), MACH_SEND_INVALID_MEMORY);
        expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
    }
    let array = Message::to(p, COPY_SEND).rights_at(region.address, 16_000 * 2, COPY_SEND, 1, 0);
    // More names than a message may hold, so the size is refused first.
    expect_code!(array.try_send(), MACH_SEND_TOO_LARGE);
    let array = Message::to(p, COPY_SEND).rights_at(hole.address, 4, COPY_SEND, 1, 0);
    expect_code!(array.try_send(), MACH_SEND_INVALID_MEMORY);
    quiet(p)?;
    region.part(0, PAGE_STEP).free()?;
    region.part(2 * PAGE_STEP, 2 * PAGE_STEP).free()?;
    release(&[p, r])
}

pub fn r_110_earlier_memory_is_gone() -> Outcome {
    let (p, unknown) = (port_with_send(1)?, unknown_name()?);
    page_size()?;
    let (given, kept) = (Region::patterned(3 * PAGE_STEP, 1)?, Region::patterned(PAGE_STEP, 2)?);
    let message = Message::to(p, COPY_SEND)
        .memory(given, MACH_MSG_VIRTUAL_COPY, 1)
        .memory(kept, MACH_MSG_VIRTUAL_COPY, 0)
        .right(unknown, COPY_SEND);
    expect_code!(message.try_send(), MACH_SEND_INVALID_RIGHT);
    mapped_state("memory given before the fault", given, false)?;
    expect!(
        kept.bytes() == memory_pattern(PAGE_STEP, 2),
        "expected the kept memory as it was, got other bytes"
    );
    kept.free()?;
    release(&[p])
}

const GUARD: u64 = 0x77_0000_1234;

pub fn r_111_receive_rights_that_stay() -> Outcome {
    case("move_of_immovable", move_of_immovable)?;
    case("move_of_reply_port", move_of_reply_port)?;
    case("move_with_other_guard", move_with_other_guard)?;
    case("guarded_move_of_unguarded", guarded_move_of_unguarded)?;
    case("unguarded_move_of_guarded", unguarded_move_of_guarded)
}

/// Sends `descriptor` of `moved`, which is refused and leaves the right; then drops it with its guard.
fn stays(moved: Name, guard: u64, descriptor: impl FnOnce(Message) -> Message) -> Outcome {
    let q = port_with_send(1)?;
    let before = snapshot()?;
    expect_code!(descriptor(Message::to(q, COPY_SEND)).try_send(), MACH_SEND_INVALID_RIGHT);
    unchanged(&before, "a receive right that stays")?;
    expect_code!(destruct(moved, 0, guard), KERN_SUCCESS);
    release(&[q])
}

fn made(flags: u32, context: u64) -> Outcome<Name> {
    let (code, name) = construct(flags, 0, context);
    expect_code!(code, KERN_SUCCESS);
    Ok(name)
}

pub fn move_of_immovable() -> Outcome {
    let p = made(MPO_CONTEXT_AS_GUARD | MPO_IMMOVABLE_RECEIVE, GUARD)?;
    stays(p, GUARD, |message| message.right(p, MOVE_RECEIVE))
}

pub fn move_of_reply_port() -> Outcome {
    let p = made(MPO_REPLY_PORT, 0)?;
    stays(p, 0, |message| message.right(p, MOVE_RECEIVE))
}

pub fn move_with_other_guard() -> Outcome {
    let p = made(MPO_CONTEXT_AS_GUARD, GUARD)?;
    let flags = MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE;
    stays(p, GUARD, |message| message.guarded(p, MOVE_RECEIVE, flags, GUARD + 1))
}

pub fn guarded_move_of_unguarded() -> Outcome {
    let p = port()?;
    let flags = MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE;
    stays(p, 0, |message| message.guarded(p, MOVE_RECEIVE, flags, GUARD))
}

pub fn unguarded_move_of_guarded() -> Outcome {
    let p = made(MPO_CONTEXT_AS_GUARD, GUARD)?;
    let flags = MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND;
    stays(p, GUARD, |message| message.guarded(p, MOVE_RECEIVE, flags, 0))
}

pub fn r_112_plain_move_of_a_guarded_right() -> Outcome {
    let (p, q) = (made(MPO_CONTEXT_AS_GUARD, GUARD)?, port_with_send(1)?);
    expect_code!(Message::to(q, COPY_SEND).right(p, MOVE_RECEIVE).send(), MACH_MSG_SUCCESS);
    let right = receive(q)?.only()?;
    expect_eq!("disposition", right.disposition, MOVE_RECEIVE);
    expect_eq!("context", get_context(right.name), (KERN_SUCCESS, 0));
    expect_eq!("guarded flag", status(right.name)?.mps_flags & MACH_PORT_STATUS_FLAG_GUARDED, 0);
    expect_code!(mod_refs(right.name, RECEIVE, -1), KERN_SUCCESS);
    release(&[q])
}

pub fn r_113_received_dispositions() -> Outcome {
    let (q, moved, target) = (port_with_send(1)?, port()?, port()?);
    let (given, copied) = (send_only(1)?, send_only(1)?);
    let once = send_once(target)?;
    let message = Message::to(q, COPY_SEND)
        .right(moved, MOVE_RECEIVE)
        .right(given.name, MOVE_SEND)
        .right(once, MOVE_SEND_ONCE)
        .right(copied.name, COPY_SEND)
        .right(target, MAKE_SEND)
        .right(target, MAKE_SEND_ONCE);
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    let received = receive(q)?;
    let got: Vec<u32> = received.descriptors.iter().map(|right| right.disposition).collect();
    expect_eq!("dispositions", got, RECEIVED.to_vec());
    let names: Vec<Name> = received.descriptors.iter().map(|right| right.name).collect();
    let types =
        [TYPE_RECEIVE, TYPE_SEND, TYPE_SEND_ONCE, TYPE_SEND, TYPE_SEND | TYPE_RECEIVE, TYPE_SEND_ONCE];
    for (name, want) in names.iter().zip(types) {
        expect_eq!(format!("type of {name:#x}"), kind(*name)?, want);
    }
    expect_eq!("name of the copied right", names[3], copied.name);
    expect_eq!("send refs of the copied right", send_refs(copied.name)?, 2);
    expect_eq!("name of the right made of an own port", names[4], target);
    // Each of them carries a message.
    expect_code!(Message::to(names[0], MAKE_SEND).send(), MACH_MSG_SUCCESS);
    receive(names[0])?;
    for right in [names[1], names[3]] {
        expect_code!(Message::to(right, COPY_SEND).send(), MACH_MSG_SUCCESS);
    }
    for (id, right) in [(61, names[2]), (62, names[5])] {
        expect_code!(Message::to(right, MOVE_SEND_ONCE).id(id).send(), MACH_MSG_SUCCESS);
        expect_eq!("id", receive(target)?.id, id);
    }
    copied.release()?;
    release(&[names[0], names[1], given.keeper, q, target])
}

pub fn r_114_move_send_takes_a_reference() -> Outcome {
    let q = port_with_send(1)?;
    for urefs in [1, 2] {
        let s = send_only(urefs)?;
        expect_code!(Message::to(q, COPY_SEND).right(s.name, MOVE_SEND).send(), MACH_MSG_SUCCESS);
        if urefs == 1 {
            expect_freed(s.name)?;
        } else {
            expect_eq!("send refs", send_refs(s.name)?, 1);
        }
        let back = receive(q)?.only()?.name;
        expect_eq!("send refs of what came back", send_refs(back)?, urefs);
        release(&[s.keeper, back])?;
    }
    release(&[q])
}

pub fn r_115_move_receive_keeps_send_rights() -> Outcome {
    let (q, with, without) = (port_with_send(1)?, port_with_send(2)?, port()?);
    let message = Message::to(q, COPY_SEND).right(with, MOVE_RECEIVE).right(without, MOVE_RECEIVE);
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    expect_eq!("type", kind(with)?, TYPE_SEND);
    expect_eq!("send refs", send_refs(with)?, 2);
    expect_freed(without)?;
    let received = receive(q)?;
    expect_eq!("name that came back", received.descriptors[0].name, with);
    received.release()?;
    release(&[with, q])
}
