//! user references, destruction and guards.

use super::kit::*;
use machipc::mach::*;

pub fn r_021_mod_refs_send_counts() -> Outcome {
    let s = send_only(1)?;
    expect_code!(mod_refs(s.name, SEND, 4), KERN_SUCCESS);
    expect_eq!("send refs", send_refs(s.name)?, 5);
    expect_code!(mod_refs(s.name, SEND, -3), KERN_SUCCESS);
    expect_eq!("send refs", send_refs(s.name)?, 2);
    expect_code!(mod_refs(s.name, SEND, 0), KERN_SUCCESS);
    expect_eq!("send refs", send_refs(s.name)?, 2);
    expect_code!(mod_refs(s.name, SEND, -2), KERN_SUCCESS);
    expect_freed(s.name)?;
    let parcel = receive(s.keeper)?;
    expect_eq!("send rights of the port", status(parcel.only()?.name)?.mps_srights, 0);
    parcel.release()?;
    release(&[s.keeper])
}

pub fn r_022_mod_refs_send_to_zero_keeps_receive() -> Outcome {
    let p = port_with_send(3)?;
    expect_code!(mod_refs(p, SEND, -3), KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    expect_eq!("send rights", status(p)?.mps_srights, 0);
    release(&[p])
}

pub fn r_023_mod_refs_send_below_zero() -> Outcome {
    let (p, s) = (port_with_send(2)?, send_only(2)?);
    let before = snapshot()?;
    expect_code!(mod_refs(p, SEND, -3), KERN_INVALID_VALUE);
    expect_code!(mod_refs(s.name, SEND, -3), KERN_INVALID_VALUE);
    unchanged(&before, "a refused mod_refs")?;
    s.release()?;
    release(&[p])
}

pub fn r_024_mod_refs_send_on_other_rights() -> Outcome {
    let (p, set, dead) = (port()?, port_set()?, dead_name(1)?);
    let once = send_once(p)?;
    let before = snapshot()?;
    for name in [p, once, set, dead] {
        for delta in [-1, 0, 1] {
            expect_code!(mod_refs(name, SEND, delta), KERN_INVALID_RIGHT);
        }
    }
    unchanged(&before, "a refused mod_refs")?;
    release(&[once, p, set, dead])
}

pub fn r_025_mod_refs_send_delta_too_large() -> Outcome {
    let p = port_with_send(1)?;
    let before = snapshot()?;
    for delta in [65_536, -65_536, i32::MAX, i32::MIN] {
        expect_code!(mod_refs(p, SEND, delta), KERN_INVALID_VALUE);
    }
    unchanged(&before, "a refused mod_refs")?;
    release(&[p])
}

pub fn r_026_send_refs_are_pinned_at_their_ceiling() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(mod_refs(p, SEND, 65_535), KERN_SUCCESS);
    expect_eq!("send refs", send_refs(p)?, 65_535);
    expect_code!(mod_refs(p, SEND, -1), KERN_SUCCESS);
    expect_eq!("send refs after -1", send_refs(p)?, 65_535);
    expect_code!(deallocate(p), KERN_SUCCESS);
    expect_eq!("send refs after a deallocate", send_refs(p)?, 65_535);
    expect_code!(insert_right(p, p, MAKE_SEND), KERN_SUCCESS);
    expect_eq!("send refs after one more", send_refs(p)?, 65_535);
    expect_code!(mod_refs(p, SEND, -65_535), KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    release(&[p])
}

pub fn r_027_mod_refs_receive_deltas() -> Outcome {
    let (p, set, dead, s) = (port()?, port_set()?, dead_name(1)?, send_only(1)?);
    let once = send_once(p)?;
    let before = snapshot()?;
    expect_code!(mod_refs(p, RECEIVE, 0), KERN_SUCCESS);
    for delta in [1, -2] {
        expect_code!(mod_refs(p, RECEIVE, delta), KERN_INVALID_VALUE);
    }
    for name in [set, dead, s.name, once] {
        expect_code!(mod_refs(name, RECEIVE, -1), KERN_INVALID_RIGHT);
    }
    unchanged(&before, "mod_refs of 0 or a refused one")?;
    s.release()?;
    release(&[once, p, set, dead])
}

pub fn r_028_mod_refs_receive_frees_name() -> Outcome {
    let p = port()?;
    expect_code!(mod_refs(p, RECEIVE, -1), KERN_SUCCESS);
    expect_freed(p)
}

pub fn r_029_mod_refs_receive_leaves_dead_name() -> Outcome {
    let p = port_with_send(4)?;
    expect_code!(mod_refs(p, RECEIVE, -1), KERN_SUCCESS);
    expect_eq!("type", kind(p)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(p, DEAD_NAME)?, 4);
    expect_code!(mod_refs(p, DEAD_NAME, -4), KERN_SUCCESS);
    expect_freed(p)
}

pub fn r_030_mod_refs_send_once() -> Outcome {
    let p = port()?;
    let once = send_once(p)?;
    for delta in [1, -2] {
        expect_code!(mod_refs(once, SEND_ONCE, delta), KERN_INVALID_VALUE);
    }
    expect_code!(mod_refs(once, SEND_ONCE, 0), KERN_SUCCESS);
    expect_eq!("type", kind(once)?, TYPE_SEND_ONCE);
    quiet(p)?;
    expect_code!(mod_refs(once, SEND_ONCE, -1), KERN_SUCCESS);
    expect_freed(once)?;
    expect_notification(p, MACH_NOTIFY_SEND_ONCE, None)?;
    quiet(p)?;
    release(&[p])
}

pub fn r_031_mod_refs_port_set() -> Outcome {
    let (a, b, set) = (port_with_send(1)?, port()?, port_set()?);
    for member in [a, b] {
        expect_code!(insert_member(member, set), KERN_SUCCESS);
    }
    expect_code!(mod_refs(set, PORT_SET, 1), KERN_INVALID_VALUE);
    expect_code!(mod_refs(set, PORT_SET, 0), KERN_SUCCESS);
    expect_code!(mod_refs(set, PORT_SET, -1), KERN_SUCCESS);
    expect_freed(set)?;
    expect_eq!("type of a member", kind(b)?, TYPE_RECEIVE);
    expect_eq!("membership of a member", status(a)?.mps_pset, 0);
    expect_code!(Message::to(a, COPY_SEND).id(7).send(), MACH_MSG_SUCCESS);
    expect_eq!("id", receive(a)?.id, 7);
    release(&[a, b])
}

pub fn r_032_mod_refs_dead_name() -> Outcome {
    let (dead, p) = (dead_name(2)?, port_with_send(1)?);
    expect_code!(mod_refs(dead, DEAD_NAME, 3), KERN_SUCCESS);
    expect_eq!("dead-name refs", refs(dead, DEAD_NAME)?, 5);
    expect_code!(mod_refs(dead, DEAD_NAME, -6), KERN_INVALID_VALUE);
    expect_code!(mod_refs(dead, DEAD_NAME, -4), KERN_SUCCESS);
    expect_eq!("dead-name refs", refs(dead, DEAD_NAME)?, 1);
    expect_code!(mod_refs(dead, DEAD_NAME, -1), KERN_SUCCESS);
    expect_freed(dead)?;
    expect_code!(mod_refs(p, DEAD_NAME, -1), KERN_INVALID_RIGHT);
    release(&[p])
}

pub fn r_033_mod_refs_unknown_right() -> Outcome {
    let p = port_with_send(1)?;
    let before = snapshot()?;
    expect_code!(mod_refs(p, MACH_PORT_RIGHT_LABELH, -1), KERN_INVALID_RIGHT);
    for right in [6, 7] {
        expect_code!(mod_refs(p, right, -1), KERN_INVALID_VALUE);
    }
    unchanged(&before, "a refused mod_refs")?;
    release(&[p])
}

pub fn r_034_unknown_name() -> Outcome {
    let unknown = unknown_name()?;
    for right in [SEND, RECEIVE, SEND_ONCE, PORT_SET, DEAD_NAME] {
        expect_code!(mod_refs(unknown, right, -1), KERN_INVALID_NAME);
    }
    expect_code!(deallocate(unknown), KERN_INVALID_NAME);
    Ok(())
}

pub fn r_035_null_and_dead_are_tolerated() -> Outcome {
    let before = snapshot()?;
    for name in [NULL, DEAD] {
        expect_code!(deallocate(name), KERN_SUCCESS);
        expect_code!(mod_refs(name, SEND, -1), KERN_SUCCESS);
        expect_code!(mod_refs(name, SEND_ONCE, -1), KERN_SUCCESS);
        for right in [RECEIVE, PORT_SET, DEAD_NAME] {
            expect_code!(mod_refs(name, right, -1), KERN_INVALID_NAME);
        }
    }
    unchanged(&before, "a call on NULL or DEAD")
}

pub fn r_036_deallocate_each_right() -> Outcome {
    let (p, s, dead) = (port()?, send_only(2)?, dead_name(2)?);
    expect_code!(deallocate(s.name), KERN_SUCCESS);
    expect_eq!("send refs", send_refs(s.name)?, 1);
    expect_code!(deallocate(dead), KERN_SUCCESS);
    expect_eq!("dead-name refs", refs(dead, DEAD_NAME)?, 1);
    expect_code!(deallocate(dead), KERN_SUCCESS);
    expect_freed(dead)?;
    let once = send_once(p)?;
    expect_code!(deallocate(once), KERN_SUCCESS);
    expect_freed(once)?;
    expect_notification(p, MACH_NOTIFY_SEND_ONCE, None)?;
    let set = port_set()?;
    expect_code!(insert_member(p, set), KERN_SUCCESS);
    expect_code!(deallocate(set), KERN_SUCCESS);
    expect_freed(set)?;
    expect_eq!("type of the member", kind(p)?, TYPE_RECEIVE);
    s.release()?;
    release(&[p])
}

pub fn r_037_deallocate_leaves_receive_right() -> Outcome {
    let p = port_with_send(2)?;
    for left in [1, 0] {
        expect_code!(deallocate(p), KERN_SUCCESS);
        expect_eq!("send refs", send_refs(p)?, left);
    }
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    expect_code!(deallocate(p), KERN_INVALID_RIGHT);
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    release(&[p])
}

pub fn r_038_destroy_takes_all() -> Outcome {
    let p = port_with_send(3)?;
    expect_code!(destroy(p), KERN_SUCCESS);
    expect_freed(p)?;
    for name in [NULL, DEAD] {
        expect_code!(destroy(name), KERN_SUCCESS);
    }
    expect_code!(destroy(unknown_name()?), KERN_INVALID_NAME);
    Ok(())
}

pub fn r_039_destruct_with_send_refs() -> Outcome {
    let exact = port_with_send(3)?;
    expect_code!(destruct(exact, -3, 0), KERN_SUCCESS);
    expect_freed(exact)?;
    let more = port_with_send(5)?;
    expect_code!(destruct(more, -3, 0), KERN_SUCCESS);
    expect_eq!("type", kind(more)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(more, DEAD_NAME)?, 2);
    release(&[more])
}

pub fn r_040_destruct_refusals() -> Outcome {
    let (p, s, bare) = (port_with_send(2)?, send_only(2)?, port()?);
    let before = snapshot()?;
    expect_code!(destruct(p, 1, 0), KERN_INVALID_VALUE);
    expect_code!(destruct(p, -3, 0), KERN_INVALID_VALUE);
    expect_code!(destruct(s.name, 0, 0), KERN_INVALID_RIGHT);
    expect_code!(destruct(NULL, 0, 0), KERN_INVALID_NAME);
    expect_code!(destruct(DEAD, 0, 0), KERN_INVALID_NAME);
    expect_code!(destruct(bare, -1, 0), KERN_INVALID_RIGHT);
    unchanged(&before, "a refused destruct")?;
    s.release()?;
    release(&[p, bare])
}

/// A guard, and a port with it.
const GUARD: u64 = 0x1234_5678_9abc;

fn guarded_port() -> Outcome<Name> {
    let (code, p) = construct(MPO_CONTEXT_AS_GUARD, 0, GUARD);
    expect_code!(code, KERN_SUCCESS);
    Ok(p)
}

pub fn r_041_destruct_checks_guard() -> Outcome {
    case("destruct_with_wrong_guard", destruct_with_wrong_guard)?;
    let p = guarded_port()?;
    expect_code!(destruct(p, 0, GUARD), KERN_SUCCESS);
    expect_freed(p)?;
    let unguarded = port()?;
    expect_code!(destruct(unguarded, 0, GUARD), KERN_SUCCESS);
    expect_freed(unguarded)
}

pub fn destruct_with_wrong_guard() -> Outcome {
    let p = guarded_port()?;
    let before = snapshot()?;
    expect_code!(destruct(p, 0, GUARD + 1), KERN_INVALID_ARGUMENT);
    unchanged(&before, "a destruct with a wrong guard")?;
    expect_code!(destruct(p, 0, GUARD), KERN_SUCCESS);
    Ok(())
}

pub fn r_042_guarded_right_cannot_be_dropped() -> Outcome {
    case("mod_refs_of_guarded", mod_refs_of_guarded)?;
    case("destroy_of_guarded", destroy_of_guarded)
}

pub fn mod_refs_of_guarded() -> Outcome {
    drop_of_guarded(|p| mod_refs(p, RECEIVE, -1))
}

pub fn destroy_of_guarded() -> Outcome {
    drop_of_guarded(destroy)
}

fn drop_of_guarded(drop: fn(Name) -> kern_return_t) -> Outcome {
    let p = guarded_port()?;
    let before = snapshot()?;
    expect_code!(drop(p), KERN_INVALID_RIGHT);
    unchanged(&before, "dropping a guarded right")?;
    expect_code!(destruct(p, 0, GUARD), KERN_SUCCESS);
    Ok(())
}

pub fn r_043_guard_calls() -> Outcome {
    let p = port()?;
    expect_code!(guard(p, GUARD, false), KERN_SUCCESS);
    expect!(status(p)?.mps_flags & MACH_PORT_STATUS_FLAG_GUARDED != 0, "expected the guarded flag, got none");
    expect_code!(guard(p, GUARD, false), KERN_INVALID_ARGUMENT);
    expect_code!(guard(p, GUARD + 1, false), KERN_INVALID_ARGUMENT);
    expect_code!(unguard(p, GUARD), KERN_SUCCESS);
    expect_eq!("guarded flag", status(p)?.mps_flags & MACH_PORT_STATUS_FLAG_GUARDED, 0);
    case("unguard_with_wrong_guard", unguard_with_wrong_guard)?;
    case("set_context_of_strict_guard", set_context_of_strict_guard)?;
    expect_code!(guard(p, GUARD, true), KERN_SUCCESS);
    expect_eq!("context of a strict guard", get_context(p), (KERN_SUCCESS, 0));
    expect_code!(destruct(p, 0, GUARD), KERN_SUCCESS);
    Ok(())
}

pub fn unguard_with_wrong_guard() -> Outcome {
    let p = guarded_port()?;
    expect_code!(unguard(p, GUARD + 1), KERN_INVALID_ARGUMENT);
    expect_code!(mach_port_swap_guard(mach_task_self(), p, GUARD, GUARD + 2), KERN_SUCCESS);
    expect_code!(unguard(p, GUARD), KERN_INVALID_ARGUMENT);
    expect_code!(unguard(p, GUARD + 2), KERN_SUCCESS);
    release(&[p])
}

pub fn set_context_of_strict_guard() -> Outcome {
    let p = port()?;
    expect_code!(guard(p, GUARD, true), KERN_SUCCESS);
    expect_code!(set_context(p, 1), KERN_INVALID_ARGUMENT);
    expect_code!(destruct(p, 0, GUARD), KERN_SUCCESS);
    Ok(())
}

pub fn r_044_guard_needs_no_context() -> Outcome {
    let p = port()?;
    expect_code!(set_context(p, 5), KERN_SUCCESS);
    expect_code!(guard(p, GUARD, false), KERN_INVALID_ARGUMENT);
    expect_eq!("context", get_context(p), (KERN_SUCCESS, 5));
    release(&[p])
}
