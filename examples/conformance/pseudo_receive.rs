//! what a timed-out send gives back.

use super::kit::*;
use machipc::mach::*;

/// A port with one send reference and a full queue of one message, with id 1.
fn full_port() -> Outcome<Name> {
    let p = port_with_send(1)?;
    expect_code!(set_limit(p, 1), KERN_SUCCESS);
    expect_code!(Message::to(p, COPY_SEND).id(1).try_send(), MACH_MSG_SUCCESS);
    Ok(p)
}

pub fn r_130_header_comes_back() -> Outcome {
    let (p, r) = (full_port()?, port_with_send(1)?);
    let message = Message::to(p, COPY_SEND).reply(r, COPY_SEND).id(30).voucher(0).data(&[7, 8]);
    let returned = message.time_out()?;
    expect_eq!("bits", returned.user_bits(), MOVE_SEND | MOVE_SEND << 8);
    expect_eq!("remote and local", (returned.remote, returned.local), (p, r));
    expect_eq!("send refs of the destination", send_refs(p)?, 2);
    expect_eq!("send refs of the reply port", send_refs(r)?, 2);
    expect_eq!("id", returned.id, 30);
    expect_eq!("size", returned.size, 32);
    expect_eq!("data", returned.data(), &[7, 8]);
    returned.release_returned()?;
    expect_eq!("send refs of the destination", send_refs(p)?, 1);
    // A made right comes back as a send right, a moved reference as itself.
    let bare = port()?;
    expect_code!(set_limit(bare, 0), KERN_SUCCESS);
    let returned = Message::to(bare, MAKE_SEND).time_out()?;
    expect_eq!("bits of a made right", returned.user_bits(), MOVE_SEND);
    expect_eq!("remote", returned.remote, bare);
    expect_eq!("send refs after a made right", send_refs(bare)?, 1);
    let returned = Message::to(bare, MOVE_SEND).time_out()?;
    expect_eq!("remote", returned.remote, bare);
    expect_eq!("send refs after a moved reference", send_refs(bare)?, 1);
    expect_eq!("make-send count", status(bare)?.mps_mscount, 1);
    release(&[p, bare])?;
    // To a port of another task.
    let mut owner = Peer::start()?;
    let there = owner.ask_name("allocate 1")?;
    expect_code!(owner.ask_code(&format!("limit {there} 1"))?, KERN_SUCCESS);
    let here = owner.fetch(there, MAKE_SEND)?;
    expect_code!(Message::to(here, COPY_SEND).id(1).send(), MACH_MSG_SUCCESS);
    let returned = Message::to(here, COPY_SEND).reply(r, MAKE_SEND).id(31).data(&[9]).time_out()?;
    expect_eq!("bits", returned.user_bits(), MOVE_SEND | MOVE_SEND << 8);
    expect_eq!("remote and local", (returned.remote, returned.local), (here, r));
    expect_eq!("send refs of both", (send_refs(here)?, send_refs(r)?), (2, 2));
    expect_eq!("id and data", (returned.id, returned.data()), (31, &[9][..]));
    returned.release_returned()?;
    owner.close()?;
    release(&[here, r])
}

pub fn r_131_made_reply_right_comes_back() -> Outcome {
    let (p, r) = (full_port()?, port()?);
    let returned = Message::to(p, COPY_SEND).reply(r, MAKE_SEND_ONCE).time_out()?;
    expect_eq!("local bits", returned.local_bits(), MOVE_SEND_ONCE);
    expect!(returned.local != r, "expected a name of its own for the reply right, got the port's {r:#x}");
    expect_eq!("type of the reply right", kind(returned.local)?, TYPE_SEND_ONCE);
    quiet(r)?;
    expect_code!(deallocate(returned.local), KERN_SUCCESS);
    expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
    quiet(r)?;
    release(&[p, r])
}

pub fn r_132_body_rights_come_back() -> Outcome {
    let (p, c, m, o) = (full_port()?, send_only(2)?, port()?, port()?);
    let once = send_once(o)?;
    let returned = Message::to(p, COPY_SEND)
        .right(c.name, COPY_SEND)
        .right(m, MAKE_SEND)
        .right(o, MAKE_SEND_ONCE)
        .right(once, MOVE_SEND_ONCE)
        .right(c.name, MOVE_SEND)
        .time_out()?;
    let got: Vec<u32> = returned.descriptors.iter().map(|right| right.disposition).collect();
    expect_eq!("dispositions", got, vec![MOVE_SEND, MOVE_SEND, MOVE_SEND_ONCE, MOVE_SEND_ONCE, MOVE_SEND]);
    let names: Vec<Name> = returned.descriptors.iter().map(|right| right.name).collect();
    expect_eq!("names of send rights", (names[0], names[1], names[4]), (c.name, m, c.name));
    expect_eq!("send refs after a copy and a move", send_refs(c.name)?, 3);
    expect_eq!("send refs after a made right", send_refs(m)?, 1);
    for once in [names[2], names[3]] {
        expect_eq!("type of a send-once right", kind(once)?, TYPE_SEND_ONCE);
    }
    expect_eq!("send-once rights", status(o)?.mps_sorights, 2);
    quiet(o)?;
    returned.release_returned()?;
    expect_eq!("send refs at last", send_refs(c.name)?, 1);
    c.release()?;
    release(&[p, m, o])
}

pub fn r_133_receive_right_comes_back() -> Outcome {
    let (p, q) = (full_port()?, port_with_send(1)?);
    for with_send in [true, false] {
        let (m, set) = (port()?, port_set()?);
        expect_code!(insert_member(m, set), KERN_SUCCESS);
        expect_code!(Message::to(m, MAKE_SEND).id(1).send(), MACH_MSG_SUCCESS);
        expect_code!(Message::to(m, MAKE_SEND).id(2).send(), MACH_MSG_SUCCESS);
        receive(m)?;
        if with_send {
            expect_code!(insert_right(m, m, MAKE_SEND), KERN_SUCCESS);
        }
        let returned = Message::to(p, COPY_SEND).right(m, MOVE_RECEIVE).time_out()?;
        let right = returned.only()?;
        expect_eq!("disposition", right.disposition, MOVE_RECEIVE);
        expect!(!with_send || right.name == m, "expected the name {m:#x} back, got {:#x}", right.name);
        expect_eq!("receive right", kind(right.name)? & TYPE_RECEIVE, TYPE_RECEIVE);
        let status = status(right.name)?;
        expect_eq!("sequence number and make-send count", (status.mps_seqno, status.mps_mscount), (0, 0));
        expect_eq!("membership", status.mps_pset, 0);
        expect_eq!("queued messages", status.mps_msgcount, 1);
        expect_eq!("members of the set", members(set)?, Vec::new());
        expect_code!(deallocate(returned.remote), KERN_SUCCESS);
        release(&[right.name, set])?;
    }
    release(&[p, q])
}

pub fn r_134_memory_comes_back() -> Outcome {
    page_size()?;
    let p = full_port()?;
    for size in [100, PAGE_STEP, 5 * PAGE_STEP + 7] {
        for (copy, deallocate) in [(1, 0), (1, 1), (0, 0), (0, 1)] {
            let source = Region::patterned(size, 3)?;
            let returned = Message::to(p, COPY_SEND).memory(source, copy, deallocate).time_out()?;
            let memory = returned.only()?;
            expect_eq!("size", memory.size as usize, size);
            expect!(
                memory.region().bytes() == memory_pattern(size, 3),
                "expected the bytes sent, got others"
            );
            let overlap = memory.address < source.address + u64::from(source.size)
                && source.address < memory.address + u64::from(memory.size);
            if deallocate == 0 {
                expect!(!overlap, "expected a new region, got the source at {:#x}", source.address);
                expect!(
                    source.bytes() == memory_pattern(size, 3),
                    "expected the source as it was, got other bytes"
                );
                memory.region().write(0, &[0xff]);
                expect_eq!("first byte of the source", source.read(0, 1), memory_pattern(1, 3));
                source.free()?;
            } else if !overlap {
                mapped_state("memory that was given away", source, false)?;
            }
            returned.release_returned()?;
        }
    }
    release(&[p])
}

pub fn r_135_returned_message_can_be_sent_again() -> Outcome {
    let (p, r, c, m) = (full_port()?, port()?, send_only(1)?, port()?);
    let (virtually, physically) = (Region::patterned(PAGE_STEP, 5)?, Region::patterned(100, 6)?);
    let message = Message::to(p, COPY_SEND)
        .reply(r, MAKE_SEND_ONCE)
        .right(c.name, COPY_SEND)
        .right(m, MAKE_SEND)
        .memory(virtually, MACH_MSG_VIRTUAL_COPY, 1)
        .memory(physically, MACH_MSG_PHYSICAL_COPY, 0)
        .id(35)
        .data(&[4]);
    let (code, mut buffer, size) = message.send_and_keep(MACH_SEND_TIMEOUT, 0);
    expect_code!(code, MACH_SEND_TIMED_OUT);
    let copy = Received::parse(buffer.clone())?.descriptors[3].region();
    expect_eq!("id of the message in the way", receive(p)?.id, 1);
    expect_code!(
        mach_msg_call(&mut buffer, MACH_SEND_MSG | MACH_SEND_TIMEOUT, size, 0, NULL, 0),
        MACH_MSG_SUCCESS
    );
    expect_eq!("send refs of the destination", send_refs(p)?, 1);
    expect_eq!("send refs of the copied right", send_refs(c.name)?, 1);
    expect_eq!("type of the made right's port", kind(m)?, TYPE_RECEIVE);
    expect_eq!("send-once rights of the reply port", status(r)?.mps_sorights, 1);
    copy.free()?;
    let received = receive(p)?;
    expect_eq!("id", received.id, 35);
    expect_eq!("data", received.data(), &[4]);
    let got: Vec<u32> = received.descriptors.iter().map(|right| right.disposition).collect();
    expect_eq!("dispositions", got, vec![MOVE_SEND, MOVE_SEND, 0, 0]);
    expect!(
        received.descriptors[2].region().bytes() == memory_pattern(PAGE_STEP, 5),
        "expected bytes of 5, got others"
    );
    expect!(
        received.descriptors[3].region().bytes() == memory_pattern(100, 6),
        "expected bytes of 6, got others"
    );
    expect_code!(Message::to(received.remote, MOVE_SEND_ONCE).id(36).send(), MACH_MSG_SUCCESS);
    expect_eq!("id of the reply", receive(r)?.id, 36);
    for right in &received.descriptors[..2] {
        expect_code!(deallocate(right.name), KERN_SUCCESS);
    }
    for memory in &received.descriptors[2..] {
        memory.region().free()?;
    }
    expect_eq!("send refs of the copied right", send_refs(c.name)?, 1);
    expect_eq!("type of the made right's port", kind(m)?, TYPE_RECEIVE);
    physically.free()?;
    c.release()?;
    release(&[p, r, m])
}

pub fn r_136_combined_call_receives_nothing() -> Outcome {
    let (p, q) = (full_port()?, port_with_send(1)?);
    expect_code!(Message::to(q, COPY_SEND).id(9).send(), MACH_MSG_SUCCESS);
    let (mut buffer, size) = Message::to(p, COPY_SEND).id(2).size(128).write();
    let both = MACH_SEND_MSG | MACH_RCV_MSG | MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT;
    expect_code!(mach_msg_call(&mut buffer, both, size, 128, q, 0), MACH_SEND_TIMED_OUT);
    expect_eq!("id in the buffer", buffer.u32(20), 2);
    expect_eq!("queued messages", status(q)?.mps_msgcount, 1);
    expect_eq!("sequence number", status(q)?.mps_seqno, 0);
    expect_eq!("id", receive(q)?.id, 9);
    release(&[p, q])
}

/// More names than any kernel is expected to have room for in a rule's time.
const MANY: usize = 400_000;

pub fn r_137_timed_out_without_name_space() -> Outcome {
    let (p, o) = (full_port()?, port()?);
    let message = Message::to(p, MOVE_SEND).right(o, MAKE_SEND_ONCE);
    let mut names = Vec::new();
    let shortage = loop {
        let (code, name) = allocate(DEAD_NAME);
        match code {
            KERN_SUCCESS if names.len() < MANY => names.push(name),
            KERN_SUCCESS => {
                names.push(name);
                break code;
            }
            code => break code,
        }
    };
    let outcome = if shortage == KERN_SUCCESS {
        Err(Stop::Skip(format!("the name space still has room after {MANY} names")))
    } else {
        short_of_names(&message, shortage)
    };
    release(&names)?;
    release(&[p, o])?;
    outcome
}

fn short_of_names(message: &Message, shortage: kern_return_t) -> Outcome {
    expect!(
        shortage == KERN_NO_SPACE || shortage == KERN_RESOURCE_SHORTAGE,
        "expected allocate to run out with 3 or 6, got {}",
        code_text(shortage)
    );
    let (code, buffer, _) = message.send_and_keep(MACH_SEND_TIMEOUT, 0);
    expect_code!(code & !MACH_MSG_MASK, MACH_SEND_TIMED_OUT);
    if code & MACH_MSG_MASK != 0 {
        expect_eq!("name of a right that found no room", Received::parse(buffer)?.only()?.name, NULL);
    }
    Ok(())
}
