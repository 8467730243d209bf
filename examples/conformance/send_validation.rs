//! what a send refuses before it takes anything.

use super::kit::*;
use machipc::mach::*;

/// Sends and demands a refusal that changed nothing.
fn refused(what: &str, message: &Message, code: mach_msg_return_t) -> Outcome {
    let before = snapshot()?;
    let got = message.try_send();
    expect!(got == code, "expected {what} = {}, got {}", code_text(code), code_text(got));
    unchanged(&before, what)
}

/// [`refused`], for faults of the body: older Darwin systems find them after they took the header's rights.
fn refused_for_body(what: &str, message: &Message, code: mach_msg_return_t) -> Outcome {
    if !darwin() {
        return refused(what, message, code);
    }
    let got = message.try_send();
    expect!(got == code, "expected {what} = {}, got {}", code_text(code), code_text(got));
    Ok(())
}

pub fn r_082_size_too_small_or_odd() -> Outcome {
    let (p, r) = (port_with_send(2)?, port()?);
    let message = Message::to(p, MOVE_SEND).reply(r, MAKE_SEND_ONCE);
    for size in [0, 4, 20, 23, 25, 26, 27] {
        refused(&format!("a send of {size} bytes"), &message.clone().size(size), MACH_SEND_MSG_TOO_SMALL)?;
    }
    release(&[p, r])
}

pub fn r_083_complex_without_descriptors() -> Outcome {
    let p = port_with_send(2)?;
    let bare = Message::to(p, MOVE_SEND).bits(MACH_MSGH_BITS_COMPLEX);
    refused("a complex message of 24 bytes", &bare, MACH_SEND_MSG_TOO_SMALL)?;
    expect_code!(Message::to(p, COPY_SEND).complex().send(), MACH_MSG_SUCCESS);
    let message = receive(p)?;
    expect_eq!("complex bit", message.bits & MACH_MSGH_BITS_COMPLEX, MACH_MSGH_BITS_COMPLEX);
    expect_eq!("size", message.size, 28);
    expect_eq!("descriptors", message.descriptors.len(), 0);
    release(&[p])
}

pub fn r_084_descriptors_overrun_the_message() -> Outcome {
    let (p, r) = (port_with_send(100)?, port()?);
    let to = || Message::to(p, MOVE_SEND).reply(r, MAKE_SEND_ONCE);
    let one_right = to().right(r, MAKE_SEND);
    for count in [2, 3, 1000, 0x1555_5556, 0x8000_0000, u32::MAX] {
        let what = format!("a count of {count} with room for one");
        refused_for_body(&what, &one_right.clone().count(count), MACH_SEND_MSG_TOO_SMALL)?;
    }
    let none = to().count(1);
    refused_for_body("a count of 1 with room for none", &none, MACH_SEND_MSG_TOO_SMALL)?;
    // Twelve bytes are room enough by the count, but not for the 16-byte kinds.
    let region = Region::new(PAGE_STEP)?;
    let kinds = [
        ("memory", to().memory(region, MACH_MSG_VIRTUAL_COPY, 1)),
        ("names", to().rights_at(region.address, 1, MOVE_SEND, MACH_MSG_VIRTUAL_COPY, 1)),
        ("a guarded right", to().guarded(r, MOVE_RECEIVE, MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND, 0)),
    ];
    for (kind, message) in kinds {
        let what = format!("a descriptor of {kind} in 12 bytes");
        refused_for_body(&what, &message.size(40), MACH_SEND_MSG_TOO_SMALL)?;
    }
    let second = to().right(r, MAKE_SEND).memory(region, MACH_MSG_VIRTUAL_COPY, 1).size(28 + 24);
    refused_for_body("a second descriptor that overruns", &second, MACH_SEND_MSG_TOO_SMALL)?;
    mapped_state("the region of a refused message", region, true)?;
    region.free()?;
    release(&[p, r])
}

pub fn r_085_largest_size() -> Outcome {
    let p = port_with_send(2)?;
    let message = Message::to(p, MOVE_SEND).id(85);
    refused("a send of 50,331,584 bytes", &message.clone().size(50_331_584), MACH_SEND_TOO_LARGE)?;
    let mut largest = vec![0; (50_331_580 - 24) / 4];
    let last = largest.len() - 1;
    (largest[0], largest[last]) = (1, 2);
    expect_code!(Message::to(p, COPY_SEND).data(&largest).send(), MACH_MSG_SUCCESS);
    let received = receive_large(p, 50_331_580 + 68)?;
    expect_eq!("size", received.size, 50_331_580);
    expect!(received.data() == largest, "expected the same 48 MiB, got others");
    release(&[p])
}

pub fn r_086_most_ports() -> Outcome {
    let (p, r) = (port_with_send(10)?, port()?);
    let names = Region::new(16_384 * 4)?;
    let to = |count| {
        let message = Message::to(p, MOVE_SEND).reply(r, MAKE_SEND_ONCE);
        message.rights_at(names.address, count, COPY_SEND, MACH_MSG_VIRTUAL_COPY, 0)
    };
    refused_for_body("an array of 16,384 names", &to(16_384), MACH_SEND_TOO_LARGE)?;
    let mixed = to(16_383).right(NULL, COPY_SEND);
    refused_for_body("16,383 names and a descriptor", &mixed, MACH_SEND_TOO_LARGE)?;
    let two = to(10_000).rights_at(names.address, 6_384, COPY_SEND, MACH_MSG_VIRTUAL_COPY, 0);
    refused_for_body("two arrays of 16,384 names", &two, MACH_SEND_TOO_LARGE)?;
    let message = |count| {
        Message::to(p, MAKE_SEND).rights_at(names.address, count, COPY_SEND, MACH_MSG_VIRTUAL_COPY, 0)
    };
    let code = message(16_383).send();
    let count = if darwin() && code == MACH_SEND_TOO_LARGE {
        expect_code!(message(16_382).send(), MACH_MSG_SUCCESS);
        16_382
    } else {
        expect_code!(code, MACH_MSG_SUCCESS);
        16_383
    };
    let received = receive(p)?;
    expect_eq!("count", received.only()?.size, count);
    received.release()?;
    names.free()?;
    release(&[p, r])
}

pub fn r_087_header_size_is_ignored() -> Outcome {
    let p = port_with_send(1)?;
    for wrong in [0, 3, 24, 0xffff_ffff] {
        let message = Message::to(p, COPY_SEND).header_size(wrong).data(&[1, 2, 3]);
        expect_code!(message.send(), MACH_MSG_SUCCESS);
        let received = receive(p)?;
        expect_eq!("size", received.size, 36);
        expect_eq!("data", received.data(), &[1, 2, 3]);
    }
    release(&[p])
}

pub fn r_088_unknown_header_bits_are_cleared() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).bits(0x00e0_e0e0).send(), MACH_MSG_SUCCESS);
    let received = receive(p)?;
    expect_eq!("bits", received.user_bits(), MOVE_SEND << 8);
    release(&[p])
}

pub fn r_089_no_such_destination() -> Outcome {
    let (set, dead, unknown) = (port_set()?, dead_name(2)?, unknown_name()?);
    for (what, name) in [("NULL", NULL), ("DEAD", DEAD), ("unknown", unknown), ("set", set), ("dead", dead)] {
        for disposition in MOVE_SEND..=MAKE_SEND_ONCE {
            let what = format!("a send to {what} by {disposition}");
            refused(&what, &Message::to(name, disposition), MACH_SEND_INVALID_DEST)?;
        }
    }
    release(&[set, dead])
}

pub fn r_090_destination_disposition() -> Outcome {
    let p = port_with_send(2)?;
    for disposition in [0, 1, 15, MOVE_RECEIVE, 22, 23, 31] {
        let what = format!("a destination of disposition {disposition}");
        refused(&what, &Message::to(p, disposition), MACH_SEND_INVALID_HEADER)?;
    }
    release(&[p])
}

pub fn r_091_destination_lacks_the_right() -> Outcome {
    let (p, s) = (port()?, send_only(2)?);
    let once = send_once(p)?;
    let cases = [
        (p, &[COPY_SEND, MOVE_SEND, MOVE_SEND_ONCE][..]),
        (once, &[COPY_SEND, MOVE_SEND, MAKE_SEND, MAKE_SEND_ONCE]),
        (s.name, &[MOVE_SEND_ONCE, MAKE_SEND, MAKE_SEND_ONCE]),
    ];
    for (name, dispositions) in cases {
        for &disposition in dispositions {
            let what = format!("a send by {disposition} of a name of type {:#x}", kind(name)?);
            refused(&what, &Message::to(name, disposition), MACH_SEND_INVALID_DEST)?;
        }
    }
    s.release()?;
    release(&[once, p])
}

pub fn r_099_voucher_field_without_disposition() -> Outcome {
    let p = port_with_send(1)?;
    for value in [0, 1, 0x1234_5678, u32::MAX] {
        expect_code!(Message::to(p, COPY_SEND).voucher(value).send(), MACH_MSG_SUCCESS);
        let received = receive(p)?;
        expect_eq!("voucher field", received.voucher, value);
        expect_eq!("bits", received.user_bits(), MOVE_SEND << 8);
    }
    release(&[p])
}

pub fn r_100_unknown_descriptor_types() -> Outcome {
    let (p, r) = (port_with_send(300)?, port()?);
    let region = Region::patterned(PAGE_STEP, 1)?;
    for kind in 5..=255 {
        let to = Message::to(p, MOVE_SEND).reply(r, MAKE_SEND_ONCE);
        let message = to.memory_at(kind, region.address, region.size, MACH_MSG_VIRTUAL_COPY, 1);
        let what = format!("a descriptor of type {kind}");
        refused_for_body(&what, &message, MACH_SEND_INVALID_TYPE)?;
    }
    for kind in [MACH_MSG_OOL_DESCRIPTOR, MACH_MSG_OOL_VOLATILE_DESCRIPTOR] {
        for copy in [2, 3, 255] {
            let to = Message::to(p, MOVE_SEND).reply(r, MAKE_SEND_ONCE);
            let message = to.memory_at(kind, region.address, region.size, copy, 1);
            let what = format!("memory of type {kind} with copy option {copy}");
            refused_for_body(&what, &message, MACH_SEND_INVALID_TYPE)?;
        }
    }
    mapped_state("the region of a refused message", region, true)?;
    region.free()?;
    release(&[p, r])
}

pub fn r_101_bad_guarded_descriptors() -> Outcome {
    let (p, r, moved) = (port_with_send(20)?, port()?, port_with_send(1)?);
    let (unguarded, immovable) =
        (MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND, MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE);
    let cases = [
        ("disposition 17", MOVE_SEND, unguarded, 0),
        ("flags 0", MOVE_RECEIVE, 0, 0),
        ("flags 4", MOVE_RECEIVE, 4, 0),
        ("flags 5", MOVE_RECEIVE, 5, 0),
        ("flag 2 and a context", MOVE_RECEIVE, unguarded, 7),
        ("flags 3 and a context", MOVE_RECEIVE, unguarded | immovable, 7),
    ];
    for (what, disposition, flags, context) in cases {
        let to = Message::to(p, MOVE_SEND).reply(r, MAKE_SEND_ONCE);
        let message = to.guarded(moved, disposition, flags, context);
        refused_for_body(&format!("a guarded descriptor with {what}"), &message, MACH_SEND_INVALID_TYPE)?;
    }
    expect_eq!("type of the port", kind(moved)?, TYPE_SEND | TYPE_RECEIVE);
    release(&[p, r, moved])
}

pub fn r_102_unknown_options_are_ignored() -> Outcome {
    let p = port_with_send(1)?;
    let unknown = 0x2000;
    expect_code!(Message::to(p, COPY_SEND).id(2).send_with(unknown, 0), MACH_MSG_SUCCESS);
    // The trailer's format bits are ignored too: the only format there is comes back.
    let format = 0x5000_0000;
    let mut buffer = Buffer::filled(64, 0);
    let code = receive_with(p, MACH_RCV_TIMEOUT | unknown | format, &mut buffer, 64, PATIENCE);
    expect_code!(code, MACH_MSG_SUCCESS);
    let received = Received::parse(buffer)?;
    expect_eq!("id", received.id, 2);
    expect_eq!("trailer format and size", (received.trailer().kind, received.trailer().size), (0, 8));
    release(&[p])
}
