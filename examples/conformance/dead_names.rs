//! what is left of a right whose port died.

use super::kit::*;
use machipc::mach::*;

pub fn r_045_send_right_becomes_dead_name() -> Outcome {
    let mut peer = Peer::start()?;
    let (there, here) = peer.new_port()?;
    expect_eq!("type", kind(here)?, TYPE_SEND);
    expect_code!(mod_refs(here, SEND, 2), KERN_SUCCESS);
    expect_code!(peer.ask_code(&format!("mod_refs {there} {RECEIVE} -1"))?, KERN_SUCCESS);
    Peer::await_death(here)?;
    expect_eq!("type", kind(here)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(here, DEAD_NAME)?, 3);
    expect_eq!("send refs", send_refs(here)?, 0);
    expect_code!(mod_refs(here, DEAD_NAME, -3), KERN_SUCCESS);
    expect_freed(here)?;
    peer.close()
}

pub fn r_046_send_once_right_becomes_dead_name() -> Outcome {
    let mut peer = Peer::start()?;
    let there = peer.ask_name("allocate 1")?;
    let here = peer.fetch(there, MAKE_SEND_ONCE)?;
    expect_eq!("type", kind(here)?, TYPE_SEND_ONCE);
    expect_code!(peer.ask_code(&format!("destroy {there}"))?, KERN_SUCCESS);
    Peer::await_death(here)?;
    expect_eq!("type", kind(here)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(here, DEAD_NAME)?, 1);
    expect_code!(deallocate(here), KERN_SUCCESS);
    expect_freed(here)?;
    // The peer is asked something, so that whatever the deallocate caused has had time to come.
    expect_code!(peer.ask_code("names")?, 0);
    quiet(peer.inbox)?;
    peer.close()
}

pub fn r_047_deallocate_works_across_the_death() -> Outcome {
    let s = send_only(3)?;
    s.kill()?;
    expect_code!(deallocate(s.name), KERN_SUCCESS);
    expect_code!(mod_refs(s.name, SEND, -1), KERN_INVALID_RIGHT);
    expect_eq!("type", kind(s.name)?, TYPE_DEAD_NAME);
    expect_eq!("dead-name refs", refs(s.name, DEAD_NAME)?, 2);
    release(&[s.name])?;

    let mut peer = Peer::start()?;
    let (_, here) = peer.new_port()?;
    expect_code!(mod_refs(here, SEND, 2), KERN_SUCCESS);
    peer.kill()?;
    expect_code!(deallocate(here), KERN_SUCCESS);
    Peer::await_death(here)?;
    expect_code!(mod_refs(here, SEND, -1), KERN_INVALID_RIGHT);
    expect_eq!("dead-name refs", refs(here, DEAD_NAME)?, 2);
    release(&[here])?;
    peer.close()
}

pub fn r_048_dead_name_is_no_destination_and_not_reused() -> Outcome {
    let mut peer = Peer::start()?;
    let (there, here) = peer.new_port()?;
    expect_code!(peer.ask_code(&format!("destroy {there}"))?, KERN_SUCCESS);
    Peer::await_death(here)?;
    for disposition in [COPY_SEND, MOVE_SEND] {
        expect_code!(Message::to(here, disposition).try_send(), MACH_SEND_INVALID_DEST);
    }
    let mut others = Vec::new();
    for _ in 0..300 {
        others.push(port()?);
    }
    expect!(!others.contains(&here), "expected other names than the dead {here:#x}, got it again");
    expect_eq!("dead-name refs", refs(here, DEAD_NAME)?, 1);
    release(&others)?;
    release(&[here])?;
    peer.close()
}
