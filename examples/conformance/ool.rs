//! memory and arrays of rights out of line.

use super::kit::*;
use machipc::mach::*;

/// Sizes below, at and above the page and the 16 and 32 KiB that Darwin treats differently.
const SIZES: [usize; 8] = [1, 100, 4096, 5000, 16 * 1024, 40_000, 300_000, 3_000_001];

/// Sends a region and receives it.
fn pass(p: Name, source: Region, copy: u8, deallocate: u8) -> Outcome<Descriptor> {
    expect_code!(Message::to(p, MAKE_SEND).memory(source, copy, deallocate).send(), MACH_MSG_SUCCESS);
    receive(p)?.only()
}

/// Has another task send memory that it made, and compares the bytes.
fn from_peer(peer: &mut Peer, kind: &str, size: usize) -> Outcome<Descriptor> {
    let order = format!("send {} {COPY_SEND} 0 0 73 10000 {kind} {size} 9", peer.inbox_there);
    expect_code!(peer.ask_code(&order)?, MACH_MSG_SUCCESS);
    let memory = receive(peer.inbox)?.only()?;
    expect_eq!("size from another task", memory.size as usize, size);
    let same = memory.region().bytes() == memory_pattern(size, 9);
    expect!(same, "expected the {size} bytes of another task, got others");
    Ok(memory)
}

pub fn r_173_virtual_copy_is_a_snapshot() -> Outcome {
    let p = port()?;
    for size in SIZES {
        // Also from an address inside a page.
        for offset in [0, 3] {
            let whole = Region::patterned(size + offset, 1)?;
            let source = whole.part(offset, size);
            let sent = source.bytes();
            let message = Message::to(p, MAKE_SEND).memory(source, MACH_MSG_VIRTUAL_COPY, 0);
            expect_code!(message.send(), MACH_MSG_SUCCESS);
            whole.write(0, &vec![0xee; size + offset]);
            let memory = receive(p)?.only()?;
            expect_eq!("kind", memory.kind, MACH_MSG_OOL_DESCRIPTOR);
            expect_eq!("size", memory.size as usize, size);
            expect_eq!("deallocate and copy", (memory.deallocate, memory.copy), (1, MACH_MSG_VIRTUAL_COPY));
            expect!(memory.region().bytes() == sent, "expected the {size} bytes at the send, got others");
            memory.region().free()?;
            whole.free()?;
        }
    }
    let mut peer = Peer::start()?;
    for size in SIZES {
        let memory = from_peer(&mut peer, "memory", size)?;
        expect_eq!("deallocate and copy", (memory.deallocate, memory.copy), (1, MACH_MSG_VIRTUAL_COPY));
        memory.region().free()?;
    }
    peer.close()?;
    release(&[p])
}

pub fn r_174_physical_copy() -> Outcome {
    let p = port()?;
    for size in SIZES {
        let source = Region::patterned(size, 2)?;
        let sent = source.bytes();
        expect_code!(
            Message::to(p, MAKE_SEND).memory(source, MACH_MSG_PHYSICAL_COPY, 0).send(),
            MACH_MSG_SUCCESS
        );
        source.write(0, &vec![0xee; size]);
        let memory = receive(p)?.only()?;
        expect_eq!("size", memory.size as usize, size);
        expect_eq!("deallocate and copy", (memory.deallocate, memory.copy), (0, MACH_MSG_PHYSICAL_COPY));
        expect!(memory.region().bytes() == sent, "expected the {size} bytes at the send, got others");
        memory.region().free()?;
        source.free()?;
    }
    let mut peer = Peer::start()?;
    for size in SIZES {
        let memory = from_peer(&mut peer, "physical", size)?;
        expect_eq!("deallocate and copy", (memory.deallocate, memory.copy), (0, MACH_MSG_PHYSICAL_COPY));
        memory.region().free()?;
    }
    peer.close()?;
    release(&[p])
}

pub fn r_175_deallocate_takes_every_page() -> Outcome {
    let (p, page) = (port()?, page_size()? as usize);
    for copy in [MACH_MSG_VIRTUAL_COPY, MACH_MSG_PHYSICAL_COPY] {
        // The range touches the last bytes of one page and the first of another, with a whole one between.
        let whole = Region::patterned(5 * page, 7)?;
        let given = whole.part(2 * page - 8, page + 16);
        let sent = given.bytes();
        expect_code!(Message::to(p, MAKE_SEND).memory(given, copy, 1).send(), MACH_MSG_SUCCESS);
        mapped_state("the pages that were given", whole.part(page, 3 * page), false)?;
        for kept in [0, 4 * page] {
            mapped_state("a page beside", whole.part(kept, page), true)?;
        }
        let memory = receive(p)?.only()?;
        expect!(memory.region().bytes() == sent, "expected the bytes sent, got others");
        memory.region().free()?;
        for kept in [0, 4 * page] {
            whole.part(kept, page).free()?;
        }
    }
    release(&[p])
}

pub fn r_176_memory_of_no_size() -> Outcome {
    let p = port()?;
    let region = Region::patterned(PAGE_STEP, 4)?;
    for address in [0, region.address, region.address + 5, 0xdead_beef, u64::MAX] {
        for (copy, deallocate) in [(1, 0), (1, 1), (0, 0), (0, 1)] {
            let memory = pass(p, Region::received(address, 0), copy, deallocate)?;
            expect_eq!("address and size", (memory.address, memory.size), (0, 0));
        }
    }
    expect!(region.bytes() == memory_pattern(PAGE_STEP, 4), "expected the memory as it was, got other bytes");
    region.free()?;
    release(&[p])
}

pub fn r_177_received_region_is_private() -> Outcome {
    let (p, page) = (port()?, page_size()? as usize);
    for size in SIZES {
        for copy in [MACH_MSG_VIRTUAL_COPY, MACH_MSG_PHYSICAL_COPY] {
            // What follows the range in the sender's pages must not come along.
            let whole = Region::new(size.next_multiple_of(page) + page)?;
            whole.write(0, &vec![0xee; whole.size as usize]);
            let memory = pass(p, whole.part(0, size), copy, 0)?;
            let region = memory.region();
            let end = (memory.address as usize + size).next_multiple_of(page) - memory.address as usize;
            let slack = region.read(size, end - size);
            expect!(
                slack.iter().all(|&byte| byte == 0),
                "expected zeros behind {size} bytes, got {slack:x?}"
            );
            region.write(0, &vec![0x11; end]);
            let kept = whole.bytes();
            expect!(
                kept.iter().all(|&byte| byte == 0xee),
                "expected the sender's memory as it was, got a write in it"
            );
            region.free()?;
            mapped_state("a freed region", region, false)?;
            whole.free()?;
        }
    }
    release(&[p])
}

pub fn r_178_volatile_descriptor() -> Outcome {
    let p = port()?;
    for (copy, deallocate) in [(1, 0), (1, 1), (0, 0), (0, 1)] {
        let source = Region::patterned(5000, 8)?;
        let kind = MACH_MSG_OOL_VOLATILE_DESCRIPTOR;
        let message = Message::to(p, MAKE_SEND).memory_at(kind, source.address, 5000, copy, deallocate);
        expect_code!(message.send(), MACH_MSG_SUCCESS);
        if deallocate == 1 {
            mapped_state("memory that was given away", source, false)?;
        } else {
            source.free()?;
        }
        let memory = receive(p)?.only()?;
        expect_eq!("kind", memory.kind, kind);
        expect_eq!("deallocate and copy", (memory.deallocate, memory.copy), (copy, copy));
        expect!(memory.region().bytes() == memory_pattern(5000, 8), "expected the bytes sent, got others");
        memory.region().free()?;
    }
    release(&[p])
}

pub fn r_179_arrays_of_rights() -> Outcome {
    let (p, x) = (port()?, port()?);
    let (a, b) = (send_only(1)?, send_only(1)?);
    let array = Region::new(PAGE_STEP)?;
    let send = |names: &[Name], disposition, copy, deallocate| -> Outcome<Vec<Name>> {
        let array = if deallocate == 1 { Region::new(4 * names.len())? } else { array };
        array.write_names(names);
        let count = names.len() as u32;
        let message =
            Message::to(p, MAKE_SEND).rights_at(array.address, count, disposition, copy, deallocate);
        expect_code!(message.send(), MACH_MSG_SUCCESS);
        if deallocate == 1 {
            mapped_state("an array that was given away", array, false)?;
        }
        let received = receive(p)?.only()?;
        expect_eq!("kind", received.kind, MACH_MSG_OOL_PORTS_DESCRIPTOR);
        expect_eq!("count", received.size, count);
        expect_eq!("deallocate and copy", (received.deallocate, received.copy), (1, MACH_MSG_VIRTUAL_COPY));
        let seen = match disposition {
            COPY_SEND | MAKE_SEND => MOVE_SEND,
            MAKE_SEND_ONCE => MOVE_SEND_ONCE,
            other => other,
        };
        expect_eq!("disposition", received.disposition, seen);
        received.region().into_words()
    };
    for (copy, deallocate) in [(1, 0), (1, 1), (0, 0), (0, 1)] {
        let names = [a.name, NULL, b.name, DEAD, a.name];
        expect_eq!("copied names", send(&names, COPY_SEND, copy, deallocate)?, names.to_vec());
    }
    expect_eq!("send refs", (send_refs(a.name)?, send_refs(b.name)?), (9, 5));
    expect_eq!("made names", send(&[x, NULL, x], MAKE_SEND, 1, 0)?, vec![x, NULL, x]);
    expect_eq!("send refs of a made right", (send_refs(x)?, status(x)?.mps_mscount), (2, 2));
    let once = send(&[x, DEAD, x], MAKE_SEND_ONCE, 1, 0)?;
    expect!(once[0] != once[2] && once[1] == DEAD, "expected two names and DEAD, got {once:x?}");
    for name in [once[0], once[2]] {
        expect_code!(Message::to(name, MOVE_SEND_ONCE).id(79).send(), MACH_MSG_SUCCESS);
        expect_eq!("id", receive(x)?.id, 79);
    }
    let moved = [port()?, port()?];
    let got = send(&[moved[0], NULL, moved[1]], MOVE_RECEIVE, 1, 0)?;
    for name in [got[0], got[2]] {
        expect_eq!("type of a moved right", kind(name)?, TYPE_RECEIVE);
        release(&[name])?;
    }
    // An array for another task, by which it sends.
    let mut peer = Peer::start()?;
    array.write_names(&[x, NULL, a.name, DEAD]);
    let message = Message::to(peer.mailbox, COPY_SEND).rights_at(array.address, 4, COPY_SEND, 1, 0);
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    let there = peer.ask(&format!("receive {} 10000", peer.mailbox_there))?;
    let there: Vec<Name> = there[7..].iter().map(|&name| name as Name).collect();
    expect_eq!("NULL and DEAD in another task", (there[1], there[3]), (NULL, DEAD));
    peer.send_id(there[0], 80)?;
    expect_eq!("id", receive(x)?.id, 80);
    peer.send_id(there[2], 81)?;
    expect_eq!("name that came back", a.recover()?, a.name);
    expect_eq!("id", receive(a.name)?.id, 81);
    peer.close()?;
    array.free()?;
    a.release()?;
    b.release()?;
    release(&[p, x])
}

pub fn r_180_bad_element_of_an_array() -> Outcome {
    let (p, x, r, unknown) = (port()?, port()?, port()?, unknown_name()?);
    let (once, kept) = (send_once(x)?, send_once(x)?);
    let array = Region::new(PAGE_STEP)?;
    array.write_names(&[once, unknown, kept]);
    let message = Message::to(p, MAKE_SEND).reply(r, MAKE_SEND_ONCE);
    let message = message.rights_at(array.address, 3, MOVE_SEND_ONCE, MACH_MSG_VIRTUAL_COPY, 0);
    expect_code!(message.try_send(), MACH_SEND_INVALID_RIGHT);
    expect_freed(once)?;
    expect_notification(x, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_notification(r, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_eq!("type of the element after the bad one", kind(kept)?, TYPE_SEND_ONCE);
    quiet(p)?;
    array.free()?;
    release(&[kept, p, x, r])
}

pub fn r_181_empty_array() -> Outcome {
    let p = port()?;
    let region = Region::new(PAGE_STEP)?;
    for address in [0, region.address, 0xdead_beef] {
        for deallocate in [0, 1] {
            let message = Message::to(p, MAKE_SEND).rights_at(address, 0, COPY_SEND, 1, deallocate);
            expect_code!(message.send(), MACH_MSG_SUCCESS);
            let array = receive(p)?.only()?;
            expect_eq!("address and count", (array.address, array.size), (0, 0));
        }
    }
    mapped_state("the memory named by an empty array", region, true)?;
    region.free()?;
    release(&[p])
}

pub fn r_182_physical_copies_are_bounded() -> Outcome {
    const MIB: usize = 1 << 20;
    let p = port()?;
    let source = Region::new(8 * MIB)?;
    let send = |parts: &[usize], copy, deallocate| {
        let message = parts.iter().fold(Message::to(p, MAKE_SEND), |message, &size| {
            message.memory(source.part(0, size), copy, deallocate)
        });
        message.send()
    };
    let before = snapshot()?;
    for parts in [&[8 * MIB][..], &[4 * MIB, 4 * MIB]] {
        let code = send(parts, MACH_MSG_PHYSICAL_COPY, 0);
        // The size of the map that holds such copies is the release's affair.
        if darwin() && code == MACH_MSG_SUCCESS {
            receive(p)?.release()?;
            continue;
        }
        expect!(code == 0x400, "expected 8 MiB of physical copies = 0x400, got {}", code_text(code));
        unchanged(&before, "a refused physical copy")?;
    }
    // Within the bound, or by reference, they pass.
    for (parts, copy) in [
        (&[3 * MIB, 3 * MIB][..], MACH_MSG_PHYSICAL_COPY),
        (&[8 * MIB], MACH_MSG_VIRTUAL_COPY),
        (&[4 * MIB, 4 * MIB], MACH_MSG_VIRTUAL_COPY),
    ] {
        expect_code!(send(parts, copy, 0), MACH_MSG_SUCCESS);
        receive(p)?.release()?;
    }
    expect_code!(send(&[8 * MIB], MACH_MSG_PHYSICAL_COPY, 1), MACH_MSG_SUCCESS);
    receive(p)?.release()?;
    release(&[p])
}

pub fn r_183_vm_allocate() -> Outcome {
    for size in [1, 4096, 5000, 1 << 20] {
        let region = Region::new(size)?;
        expect_eq!("offset in a page", region.address % page_size()?, 0);
        expect!(region.bytes().iter().all(|&byte| byte == 0), "expected {size} zeros, got other bytes");
        region.write(0, &[1]);
        region.part(size - 1, 1).write(0, &[2]);
        region.free()?;
        mapped_state("a freed region", region, false)?;
    }
    let none = Region::new(0)?;
    expect_eq!("address of no memory", none.address, 0);
    none.free()?;
    let region = Region::new(PAGE_STEP)?;
    region.part(0, 0).free()?;
    mapped_state("a region of which nothing was freed", region, true)?;
    region.free()
}
