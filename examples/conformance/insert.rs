//! inserting and extracting rights.

use super::kit::*;
use machipc::mach::*;

pub fn r_013_insert_make_send() -> Outcome {
    let p = port()?;
    for count in 1..=3 {
        expect_code!(insert_right(p, p, MAKE_SEND), KERN_SUCCESS);
        expect_eq!("type", kind(p)?, TYPE_SEND | TYPE_RECEIVE);
        expect_eq!("send refs", send_refs(p)?, count);
        expect_eq!("make-send count", status(p)?.mps_mscount, count);
    }
    expect_eq!("send rights of the port", send_rights(p)?, 1);
    release(&[p])
}

pub fn r_014_insert_copy_send() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(insert_right(p, p, COPY_SEND), KERN_SUCCESS);
    expect_eq!("send refs", send_refs(p)?, 2);
    expect_eq!("make-send count", status(p)?.mps_mscount, 1);
    let s = send_only(1)?;
    expect_code!(insert_right(s.name, s.name, COPY_SEND), KERN_SUCCESS);
    expect_eq!("send refs without the receive right", send_refs(s.name)?, 2);
    s.release()?;
    release(&[p])
}

pub fn r_015_insert_lacking_right() -> Outcome {
    let p = port()?;
    let s = send_only(1)?;
    let before = snapshot()?;
    expect_code!(insert_right(p, p, COPY_SEND), KERN_INVALID_RIGHT);
    expect_code!(insert_right(s.name, s.name, MAKE_SEND), KERN_INVALID_RIGHT);
    unchanged(&before, "a refused insert")?;
    s.release()?;
    release(&[p])
}

pub fn r_016_insert_of_other_names() -> Outcome {
    let (unknown, dead, set) = (unknown_name()?, dead_name(1)?, port_set()?);
    let before = snapshot()?;
    expect_code!(insert_right(unknown, unknown, MAKE_SEND), KERN_INVALID_NAME);
    expect_code!(insert_right(dead, dead, MAKE_SEND), KERN_INVALID_CAPABILITY);
    expect_code!(insert_right(set, set, MAKE_SEND), KERN_INVALID_RIGHT);
    unchanged(&before, "a refused insert")?;
    release(&[dead, set])
}

pub fn r_017_insert_under_another_name() -> Outcome {
    let p = port()?;
    let names_before = names()?.len();
    // A slot far beyond those in use, with a generation as the kernel makes them.
    let other = 0x0004_0003;
    expect_code!(port_type(other).0, KERN_INVALID_NAME);
    expect_code!(insert_right(other, p, MAKE_SEND), KERN_RIGHT_EXISTS);
    expect_code!(port_type(other).0, KERN_INVALID_NAME);
    let bad_low_bits = 0x0004_0100;
    let code = expect_code!(insert_right(bad_low_bits, p, MAKE_SEND), KERN_INVALID_VALUE, older KERN_SUCCESS);
    if code == KERN_SUCCESS {
        release(&[bad_low_bits])?;
    }
    expect_code!(insert_right(0x0000_0003, p, MAKE_SEND), KERN_FAILURE);
    expect_eq!("send refs", send_refs(p)?, 0);
    expect_eq!("number of names", names()?.len(), names_before);
    release(&[p])
}

pub fn r_018_insert_make_send_once_in_place() -> Outcome {
    let p = port()?;
    expect_code!(insert_right(p, p, MAKE_SEND_ONCE), KERN_NAME_EXISTS);
    expect_notification(p, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_eq!("send-once rights", status(p)?.mps_sorights, 0);
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    quiet(p)?;
    release(&[p])
}

pub fn r_019_extract_make_send_once() -> Outcome {
    let p = port()?;
    let (code, once, disposition) = extract_right(p, MAKE_SEND_ONCE);
    expect_code!(code, KERN_SUCCESS);
    expect!(once != p, "expected a name other than {p:#x}, got it");
    expect_eq!("disposition", disposition, MOVE_SEND_ONCE);
    expect_eq!("type", kind(once)?, TYPE_SEND_ONCE);
    expect_eq!("send-once refs", refs(once, SEND_ONCE)?, 1);
    expect_eq!("send-once rights", status(p)?.mps_sorights, 1);
    let second = send_once(p)?;
    expect!(second != once, "expected another name for another send-once right, got {once:#x} again");
    expect_eq!("send-once rights", status(p)?.mps_sorights, 2);
    release(&[once, second, p])
}

pub fn r_020_extract_copy_send() -> Outcome {
    let (p, bare, unknown) = (port_with_send(1)?, port()?, unknown_name()?);
    let (code, right, disposition) = extract_right(p, COPY_SEND);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("extracted name", right, p);
    expect_eq!("disposition", disposition, MOVE_SEND);
    expect_eq!("send refs", send_refs(p)?, 2);
    let before = snapshot()?;
    expect_code!(extract_right(bare, COPY_SEND).0, KERN_INVALID_RIGHT);
    expect_code!(extract_right(unknown, COPY_SEND).0, KERN_INVALID_NAME);
    for disposition in [0, MACH_MSG_TYPE_PORT_NAME] {
        expect_code!(extract_right(p, disposition).0, KERN_INVALID_VALUE);
    }
    unchanged(&before, "a refused extract")?;
    release(&[p, bare])
}
