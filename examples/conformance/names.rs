//! names.

use super::kit::*;
use machipc::mach::*;

pub fn r_001_allocate_receive_right() -> Outcome {
    let (code, p) = allocate(RECEIVE);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    expect_eq!("send refs", send_refs(p)?, 0);
    let fresh = mach_port_status_t { mps_qlimit: 5, ..Default::default() };
    let mut got = status(p)?;
    got.mps_flags = 0;
    expect_eq!("status", got, fresh);
    release(&[p])
}

pub fn r_002_allocate_port_set() -> Outcome {
    let (code, s) = allocate(PORT_SET);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type", kind(s)?, TYPE_PORT_SET);
    expect_eq!("set refs", refs(s, PORT_SET)?, 1);
    expect_code!(mod_refs(s, PORT_SET, -1), KERN_SUCCESS);
    expect_freed(s)
}

pub fn r_003_allocate_dead_name() -> Outcome {
    let (code, d) = allocate(DEAD_NAME);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type", kind(d)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(d, DEAD_NAME)?, 1);
    expect_code!(deallocate(d), KERN_SUCCESS);
    expect_freed(d)
}

pub fn r_004_allocate_other_right_fails() -> Outcome {
    let before = snapshot()?;
    for right in [SEND, SEND_ONCE, MACH_PORT_RIGHT_LABELH, MACH_PORT_RIGHT_NUMBER, 99] {
        let (code, _) = allocate(right);
        expect!(code == KERN_INVALID_VALUE, "expected allocate({right}) = 18, got {}", code_text(code));
    }
    unchanged(&before, "a refused allocate")
}

pub fn r_005_allocated_names_are_distinct() -> Outcome {
    let mut names = Vec::new();
    for _ in 0..500 {
        names.push(port()?);
    }
    expect!(!names.contains(&NULL) && !names.contains(&DEAD), "expected names, got NULL or DEAD among them");
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    expect_eq!("distinct names", sorted.len(), names.len());
    release(&names)
}

pub fn r_006_freed_name_is_not_reused_at_once() -> Outcome {
    let freed = unknown_name()?;
    let mut names = Vec::new();
    for _ in 0..10 {
        names.push(port()?);
    }
    expect!(!names.contains(&freed), "expected other names than the freed {freed:#x}, got it again");
    for name in names.iter().chain([&freed]) {
        expect_eq!("low bits of a name", name & 3, 3);
    }
    release(&names)
}

pub fn r_007_construct_with_send_right_and_limit() -> Outcome {
    let (code, p) = construct(MPO_INSERT_SEND_RIGHT | MPO_QLIMIT, 7, 0);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_SEND | TYPE_RECEIVE);
    expect_eq!("send refs", send_refs(p)?, 1);
    let status = status(p)?;
    expect_eq!("make-send count", status.mps_mscount, 1);
    expect_eq!("queue limit", status.mps_qlimit, 7);
    expect_eq!("send rights", status.mps_srights, 1);
    release(&[p])
}

pub fn r_008_construct_checks_queue_limit() -> Outcome {
    let before = snapshot()?;
    expect_code!(construct(MPO_QLIMIT, 1025, 0).0, KERN_INVALID_VALUE);
    unchanged(&before, "a refused construct")?;
    for limit in [1024, 0] {
        let (code, p) = construct(MPO_QLIMIT, limit, 0);
        expect_code!(code, KERN_SUCCESS);
        expect_eq!("queue limit", status(p)?.mps_qlimit, limit);
        release(&[p])?;
    }
    Ok(())
}

pub fn r_009_construct_refuses_two_kinds() -> Outcome {
    let before = snapshot()?;
    let (code, p) = construct(MPO_REPLY_PORT | MPO_EXCEPTION_PORT, 0, 0);
    let code = expect_code!(code, KERN_INVALID_ARGUMENT, older KERN_SUCCESS);
    if code == KERN_SUCCESS {
        return release(&[p]);
    }
    unchanged(&before, "a refused construct")
}

pub fn r_010_type_of_no_name() -> Outcome {
    expect_code!(port_type(unknown_name()?).0, KERN_INVALID_NAME);
    expect_code!(port_type(NULL).0, KERN_INVALID_NAME);
    let (code, kind) = port_type(DEAD);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type of DEAD", kind, TYPE_DEAD_NAME);
    Ok(())
}

pub fn r_011_get_refs_of_lacking_right() -> Outcome {
    let p = port()?;
    for right in [SEND, SEND_ONCE, PORT_SET, DEAD_NAME, MACH_PORT_RIGHT_LABELH] {
        expect_eq!(format!("refs({right}) of a receive right"), get_refs(p, right), (KERN_SUCCESS, 0));
    }
    expect_eq!("receive refs", refs(p, RECEIVE)?, 1);
    for right in [MACH_PORT_RIGHT_NUMBER, 7, 99] {
        expect_code!(get_refs(p, right).0, KERN_INVALID_VALUE);
    }
    let unknown = unknown_name()?;
    for right in [SEND, RECEIVE, SEND_ONCE, PORT_SET, DEAD_NAME] {
        expect_code!(get_refs(unknown, right).0, KERN_INVALID_NAME);
    }
    release(&[p])
}

pub fn r_012_get_refs_of_null_and_dead() -> Outcome {
    for name in [NULL, DEAD] {
        expect_eq!("refs(SEND)", get_refs(name, SEND), (KERN_SUCCESS, 1));
        expect_eq!("refs(SEND_ONCE)", get_refs(name, SEND_ONCE), (KERN_SUCCESS, 1));
        expect_code!(get_refs(name, RECEIVE).0, KERN_INVALID_NAME);
    }
    Ok(())
}
