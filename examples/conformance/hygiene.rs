//! what a receiver can clean up, and what it can tell apart.

use super::kit::*;
use machipc::mach::*;

pub fn r_197_destroying_a_received_message() -> Outcome {
    let (q, x, y, m) = (port_with_send(1)?, port()?, port()?, port()?);
    let s = send_only(1)?;
    let guard = 0x66_0000_0001;
    let (code, guarded) = construct(MPO_CONTEXT_AS_GUARD, 0, guard);
    expect_code!(code, KERN_SUCCESS);
    let memory = Region::patterned(100_000, 1)?;
    let names = Region::new(12)?;
    names.write_names(&[s.name, NULL, y]);
    let message = Message::to(q, COPY_SEND)
        .reply(x, MAKE_SEND_ONCE)
        .right(s.name, COPY_SEND)
        .right(x, MAKE_SEND_ONCE)
        .right(m, MOVE_RECEIVE)
        .right(DEAD, COPY_SEND)
        .memory(memory, MACH_MSG_VIRTUAL_COPY, 0)
        .memory(memory, MACH_MSG_PHYSICAL_COPY, 0)
        .memory_at(MACH_MSG_OOL_VOLATILE_DESCRIPTOR, memory.address, 5000, MACH_MSG_VIRTUAL_COPY, 0)
        .memory_at(MACH_MSG_OOL_VOLATILE_DESCRIPTOR, memory.address, 5000, MACH_MSG_PHYSICAL_COPY, 0)
        .rights_at(names.address, 2, COPY_SEND, MACH_MSG_VIRTUAL_COPY, 0)
        .rights_at(names.address + 8, 1, MAKE_SEND_ONCE, MACH_MSG_PHYSICAL_COPY, 0)
        .guarded(guarded, MOVE_RECEIVE, MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE, guard)
        .data(&[1, 2, 3]);
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    // The queue itself changes, and the send-once rights are answered: those ports are looked at apart.
    let before = snapshot()?.without(&[q, x, y]);
    let mut buffer = Buffer::filled(1024, 0);
    let option = MACH_RCV_TIMEOUT | MACH_RCV_GUARDED_DESC;
    expect_code!(receive_with(q, option, &mut buffer, 1024, 0), MACH_MSG_SUCCESS);
    let received = Received::parse(buffer)?;
    expect_eq!("descriptors", received.descriptors.len(), 11);
    let regions: Vec<Region> =
        received.descriptors.iter().map(Descriptor::region).filter(|region| region.address != 0).collect();
    expect_eq!("regions", regions.len(), 6);
    for region in &regions {
        mapped_state("a received region", *region, true)?;
    }
    received.release()?;
    for region in regions {
        mapped_state("a region of a destroyed message", region, false)?;
    }
    before.compare(&snapshot()?.without(&[q, x, y]), "a message received and destroyed")?;
    for port in [x, x, y] {
        expect_notification(port, MACH_NOTIFY_SEND_ONCE, None)?;
    }
    for port in [x, y] {
        quiet(port)?;
        expect_eq!("send-once rights", status(port)?.mps_sorights, 0);
    }
    expect_eq!("send refs of the destination", send_refs(q)?, 1);
    memory.free()?;
    names.free()?;
    s.release()?;
    release(&[q, x, y])
}

pub fn r_198_forged_notification() -> Outcome {
    let p = port()?;
    let mut client = Peer::start()?;
    let there = client.give(p, MAKE_SEND)?;
    for id in [MACH_NOTIFY_NO_SENDERS, MACH_NOTIFY_DEAD_NAME] {
        // As a notification looks: the representation, and a value.
        let order = format!("send {there} {COPY_SEND} 0 0 {id} 10000 word 0 word 1 word 9");
        expect_code!(client.ask_code(&order)?, MACH_MSG_SUCCESS);
        let message = receive(p)?;
        expect_eq!("id and size", (message.id, message.size), (id, 36));
        let trailer = message.trailer();
        expect!(trailer.audit != [0; 8], "expected an audit token, got zeros as of the kernel");
        expect_eq!("pid in the audit token", trailer.audit[5], client.id());
    }
    // A true one, to tell it from.
    expect_code!(deallocate(send_once(p)?), KERN_SUCCESS);
    expect_eq!("audit token of the kernel", receive(p)?.trailer().audit, [0; 8]);
    client.close()?;
    release(&[p])
}
