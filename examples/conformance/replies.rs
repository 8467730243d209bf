//! the reply field.

use super::kit::*;
use machipc::mach::*;

/// Sends and demands a refusal that changed nothing.
fn refused(what: &str, message: &Message, code: mach_msg_return_t) -> Outcome {
    let before = snapshot()?;
    let got = message.try_send();
    expect!(got == code, "expected {what} = {}, got {}", code_text(code), code_text(got));
    unchanged(&before, what)
}

/// What a receiver sees of each disposition from 17 to 21.
fn received_as(disposition: u32) -> u32 {
    match disposition {
        MOVE_SEND_ONCE | MAKE_SEND_ONCE => MOVE_SEND_ONCE,
        _ => MOVE_SEND,
    }
}

pub fn r_092_reply_disposition() -> Outcome {
    let (p, r) = (port_with_send(2)?, port_with_send(1)?);
    for disposition in [0, 1, 15, MOVE_RECEIVE, 22, 23, 31] {
        let message = Message::to(p, MOVE_SEND).reply(r, disposition);
        let what = format!("a reply of disposition {disposition}");
        refused(&what, &message, MACH_SEND_INVALID_HEADER)?;
    }
    release(&[p, r])
}

pub fn r_093_reply_lacks_the_right() -> Outcome {
    let (s, p, set, other) = (send_only(2)?, port()?, port_set()?, send_only(1)?);
    let (once, unknown) = (send_once(p)?, unknown_name()?);
    let all = &[MOVE_SEND, MOVE_SEND_ONCE, COPY_SEND, MAKE_SEND, MAKE_SEND_ONCE][..];
    let cases = [
        (unknown, all),
        (set, all),
        (p, &[COPY_SEND, MOVE_SEND, MOVE_SEND_ONCE]),
        (once, &[COPY_SEND, MOVE_SEND, MAKE_SEND, MAKE_SEND_ONCE]),
        (other.name, &[MOVE_SEND_ONCE, MAKE_SEND, MAKE_SEND_ONCE]),
    ];
    for (name, dispositions) in cases {
        for &disposition in dispositions {
            let message = Message::to(s.name, MOVE_SEND).reply(name, disposition);
            let what = format!("a reply by {disposition} of {name:#x}");
            refused(&what, &message, MACH_SEND_INVALID_REPLY)?;
            expect_eq!("send refs of the destination", send_refs(s.name)?, 2);
        }
    }
    s.release()?;
    other.release()?;
    release(&[once, p, set])
}

pub fn r_094_reply_null() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).reply(NULL, MAKE_SEND_ONCE).send(), MACH_MSG_SUCCESS);
    let received = receive(p)?;
    expect_eq!("remote", received.remote, NULL);
    expect_eq!("remote bits", received.remote_bits(), MOVE_SEND_ONCE);
    release(&[p])
}

pub fn r_095_reply_dead() -> Outcome {
    let p = port_with_send(1)?;
    for disposition in MOVE_SEND..=MAKE_SEND_ONCE {
        expect_code!(Message::to(p, COPY_SEND).reply(DEAD, disposition).send(), MACH_MSG_SUCCESS);
        let received = receive(p)?;
        expect_eq!(format!("remote for {disposition}"), received.remote, DEAD);
        expect_eq!(format!("bits for {disposition}"), received.remote_bits(), received_as(disposition));
    }
    release(&[p])
}

pub fn r_096_reply_of_a_dead_port() -> Outcome {
    let (p, dead) = (port_with_send(1)?, dead_name(5)?);
    for disposition in [MOVE_SEND, MOVE_SEND_ONCE, COPY_SEND] {
        let message = Message::to(p, COPY_SEND).reply(dead, disposition);
        if darwin() {
            match message.try_send() {
                MACH_MSG_SUCCESS => expect_eq!("remote", receive(p)?.remote, DEAD),
                code => expect_code!(code, MACH_SEND_INVALID_REPLY),
            }
            continue;
        }
        let what = format!("a dead name as reply by {disposition}");
        refused(&what, &message, MACH_SEND_INVALID_REPLY)?;
    }
    // A death that nobody looked at yet: the right still sends, and arrives dead.
    let s = send_only(1)?;
    s.kill()?;
    expect_code!(Message::to(p, COPY_SEND).reply(s.name, COPY_SEND).send(), MACH_MSG_SUCCESS);
    let received = receive(p)?;
    expect_eq!("remote", received.remote, DEAD);
    expect_eq!("remote bits", received.remote_bits(), MOVE_SEND);
    let mut peer = Peer::start()?;
    let (_, here) = peer.new_port()?;
    peer.kill()?;
    Peer::await_death(peer.mailbox)?;
    expect_code!(Message::to(p, COPY_SEND).reply(here, COPY_SEND).send(), MACH_MSG_SUCCESS);
    expect_eq!("remote of a task that died", receive(p)?.remote, DEAD);
    peer.close()?;
    release(&[s.name, p, dead, here])
}

pub fn r_097_destination_is_reply() -> Outcome {
    let p = port_with_send(1)?;
    expect_code!(Message::to(p, COPY_SEND).reply(p, COPY_SEND).send(), MACH_MSG_SUCCESS);
    expect_eq!("send refs", send_refs(p)?, 1);
    let received = receive(p)?;
    expect_eq!("remote", received.remote, p);
    expect_eq!("send refs", send_refs(p)?, 2);
    received.release()?;
    let one = send_only(1)?;
    let message = Message::to(one.name, MOVE_SEND).reply(one.name, MOVE_SEND);
    refused("two moves of one reference", &message, MACH_SEND_INVALID_DEST)?;
    let two = send_only(2)?;
    let message = Message::to(two.name, MOVE_SEND).reply(two.name, MOVE_SEND);
    expect_code!(message.send(), MACH_MSG_SUCCESS);
    expect_freed(two.name)?;
    let before = snapshot()?;
    let mixed = Message::to(p, COPY_SEND).reply(p, MOVE_SEND_ONCE);
    expect_code!(mixed.try_send(), MACH_SEND_INVALID_DEST, older MACH_SEND_INVALID_REPLY);
    unchanged(&before, "a send and a send-once right of one name")?;
    one.release()?;
    release(&[p, two.keeper])
}

pub fn r_098_own_port_as_destination_and_reply() -> Outcome {
    let p = port()?;
    expect_code!(Message::to(p, MAKE_SEND).reply(p, MAKE_SEND_ONCE).id(3).send(), MACH_MSG_SUCCESS);
    let received = receive(p)?;
    expect_eq!("id", received.id, 3);
    expect_eq!("type of the reply right", kind(received.remote)?, TYPE_SEND_ONCE);
    expect_code!(Message::to(received.remote, MOVE_SEND_ONCE).id(4).send(), MACH_MSG_SUCCESS);
    expect_eq!("id", receive(p)?.id, 4);
    expect_eq!("type", kind(p)?, TYPE_RECEIVE);
    expect_eq!("make-send count", status(p)?.mps_mscount, 1);
    release(&[p])
}
