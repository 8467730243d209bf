//! no-senders notifications.

use super::kit::*;
use machipc::mach::*;

const NO_SENDERS: mach_msg_id_t = MACH_NOTIFY_NO_SENDERS;

pub fn r_049_fires_at_once_without_senders() -> Outcome {
    let (p, n) = (port()?, port()?);
    arm(p, NO_SENDERS, 0, n)?;
    expect_notification(n, NO_SENDERS, Some(0))?;
    expect_eq!("no-senders request", status(p)?.mps_nsrequest, 0);
    quiet(n)?;
    release(&[p, n])
}

pub fn r_050_sync_waits_for_the_first_sender() -> Outcome {
    let (p, n) = (port()?, port()?);
    arm(p, NO_SENDERS, 1, n)?;
    quiet(n)?;
    expect!(status(p)?.mps_nsrequest != 0, "expected an armed request, got none");
    expect_code!(insert_right(p, p, MAKE_SEND), KERN_SUCCESS);
    quiet(n)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    expect_notification(n, NO_SENDERS, Some(1))?;
    quiet(n)?;
    release(&[p, n])
}

pub fn r_051_counts_holders_and_messages() -> Outcome {
    let (p, q, n) = (port()?, port()?, port()?);
    let (mut a, mut b) = (Peer::start()?, Peer::start()?);
    let at_a = a.give(p, MAKE_SEND)?;
    b.give(p, MAKE_SEND)?;
    expect_code!(a.ask_code(&format!("mod_refs {at_a} {SEND} 2"))?, KERN_SUCCESS);
    // One message carries a send right, another is sent by one.
    expect_code!(Message::to(q, MAKE_SEND).right(p, MAKE_SEND).send(), MACH_MSG_SUCCESS);
    expect_code!(Message::to(p, MAKE_SEND).id(5).send(), MACH_MSG_SUCCESS);
    arm(p, NO_SENDERS, 0, n)?;
    quiet(n)?;
    expect_code!(a.ask_code(&format!("mod_refs {at_a} {SEND} -2"))?, KERN_SUCCESS);
    quiet_for(n, 50)?;
    expect_code!(a.ask_code(&format!("deallocate {at_a}"))?, KERN_SUCCESS);
    quiet_for(n, 50)?;
    receive(q)?.release()?;
    quiet_for(n, 50)?;
    b.kill()?;
    quiet_for(n, 150)?;
    expect_eq!("id of the queued message", receive(p)?.id, 5);
    expect_notification(n, NO_SENDERS, Some(4))?;
    // The same with a holder in another task as the last.
    let at_a = a.give(p, MAKE_SEND)?;
    expect_code!(Message::to(q, MAKE_SEND).right(p, MAKE_SEND).send(), MACH_MSG_SUCCESS);
    arm(p, NO_SENDERS, 0, n)?;
    release(&[q])?;
    quiet_for(n, 50)?;
    expect_code!(a.ask_code(&format!("deallocate {at_a}"))?, KERN_SUCCESS);
    expect_notification(n, NO_SENDERS, Some(6))?;
    quiet(n)?;
    // A holder that got the right from another one, which exits as soon as it has passed it on.
    let mut giver = Peer::start()?;
    let mut heir = Peer::start()?;
    let at_giver = giver.give(p, MAKE_SEND)?;
    arm(p, NO_SENDERS, 0, n)?;
    giver.forward_only(at_giver, MOVE_SEND, &mut heir)?;
    giver.exit()?;
    quiet_for(n, 50)?;
    let at_heir = heir.collect()?;
    heir.send_id(at_heir, 7)?;
    expect_eq!("id from the heir", receive(p)?.id, 7);
    quiet_for(n, 50)?;
    heir.kill()?;
    expect_notification(n, NO_SENDERS, Some(7))?;
    quiet(n)?;
    giver.close()?;
    heir.close()?;
    a.close()?;
    b.close()?;
    release(&[p, n])
}

pub fn r_052_user_references_count_once() -> Outcome {
    let (p, n) = (port_with_send(2)?, port()?);
    arm(p, NO_SENDERS, 0, n)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    quiet(n)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    expect_notification(n, NO_SENDERS, Some(2))?;
    release(&[p, n])
}

pub fn r_053_send_once_rights_do_not_count() -> Outcome {
    let (p, n) = (port_with_send(1)?, port()?);
    let once = send_once(p)?;
    arm(p, NO_SENDERS, 0, n)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    expect_notification(n, NO_SENDERS, Some(1))?;
    expect_eq!("send-once rights", status(p)?.mps_sorights, 1);
    release(&[once, p, n])
}

pub fn r_054_fires_once() -> Outcome {
    let (p, n) = (port_with_send(1)?, port()?);
    arm(p, NO_SENDERS, 0, n)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    expect_notification(n, NO_SENDERS, Some(1))?;
    expect_code!(insert_right(p, p, MAKE_SEND), KERN_SUCCESS);
    expect_code!(deallocate(p), KERN_SUCCESS);
    quiet(n)?;
    arm(p, NO_SENDERS, 0, n)?;
    expect_notification(n, NO_SENDERS, Some(2))?;
    release(&[p, n])
}

pub fn r_055_carries_the_make_send_count() -> Outcome {
    let (p, q, n) = (port_with_send(2)?, port()?, port()?);
    arm(p, NO_SENDERS, 0, n)?;
    // Copies do not raise the count, one made right does.
    expect_code!(insert_right(p, p, COPY_SEND), KERN_SUCCESS);
    let copy = Message::to(q, MAKE_SEND).reply(p, COPY_SEND).right(p, COPY_SEND);
    expect_code!(copy.send(), MACH_MSG_SUCCESS);
    receive(q)?.release()?;
    expect_code!(Message::to(p, COPY_SEND).send(), MACH_MSG_SUCCESS);
    receive(p)?.release()?;
    expect_code!(Message::to(p, MAKE_SEND).send(), MACH_MSG_SUCCESS);
    receive(p)?.release()?;
    expect_eq!("make-send count", status(p)?.mps_mscount, 3);
    expect_code!(mod_refs(p, SEND, -3), KERN_SUCCESS);
    expect_notification(n, NO_SENDERS, Some(3))?;
    // The count can be set, and goes on from there.
    expect_code!(insert_right(p, p, MAKE_SEND), KERN_SUCCESS);
    expect_code!(set_mscount(p, 40), KERN_SUCCESS);
    arm(p, NO_SENDERS, 0, n)?;
    expect_code!(insert_right(p, p, MAKE_SEND), KERN_SUCCESS);
    expect_code!(mod_refs(p, SEND, -2), KERN_SUCCESS);
    expect_notification(n, NO_SENDERS, Some(41))?;
    release(&[p, q, n])
}

pub fn r_056_death_of_a_client_fires() -> Outcome {
    let (p, n) = (port()?, port()?);
    for (count, killed) in [(1, true), (2, false)] {
        let mut client = Peer::start()?;
        client.give(p, MAKE_SEND)?;
        arm(p, NO_SENDERS, 0, n)?;
        quiet_for(n, 20)?;
        if killed {
            client.kill()?;
        } else {
            client.exit()?;
        }
        expect_notification(n, NO_SENDERS, Some(count))?;
        client.close()?;
    }
    release(&[p, n])
}

pub fn r_057_comes_after_the_last_message() -> Outcome {
    for killed in [false, true] {
        let p = port()?;
        let mut client = Peer::start()?;
        let there = client.give(p, MAKE_SEND)?;
        // The notification goes to the port itself, so that its place in the order shows.
        arm(p, NO_SENDERS, 0, p)?;
        for id in 1001..=1005 {
            let order = format!("send {there} {COPY_SEND} 0 0 {id} 10000 word {id}");
            expect_code!(client.ask_code(&order)?, MACH_MSG_SUCCESS);
        }
        if killed {
            client.kill()?;
        } else {
            expect_code!(client.ask_code(&format!("deallocate {there}"))?, KERN_SUCCESS);
        }
        for id in 1001..=1005 {
            let message = receive(p)?;
            expect_eq!("id", message.id, id);
            expect_eq!("data", message.data(), &[id as u32]);
        }
        expect_notification(p, NO_SENDERS, Some(1))?;
        quiet(p)?;
        client.close()?;
        release(&[p])?;
    }
    Ok(())
}

pub fn r_058_request_again_or_cancel() -> Outcome {
    let (p, n, m) = (port_with_send(1)?, port()?, port()?);
    arm(p, NO_SENDERS, 0, n)?;
    let (code, previous) = request(p, NO_SENDERS, 0, m, MAKE_SEND_ONCE);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type of the previous right", kind(previous)?, TYPE_SEND_ONCE);
    expect_code!(deallocate(previous), KERN_SUCCESS);
    expect_notification(n, MACH_NOTIFY_SEND_ONCE, None)?;
    let (code, previous) = request(p, NO_SENDERS, 0, NULL, MAKE_SEND_ONCE);
    expect_code!(code, KERN_SUCCESS);
    expect_eq!("type of the previous right", kind(previous)?, TYPE_SEND_ONCE);
    expect_eq!("no-senders request", status(p)?.mps_nsrequest, 0);
    expect_code!(deallocate(p), KERN_SUCCESS);
    quiet(m)?;
    expect_code!(deallocate(previous), KERN_SUCCESS);
    expect_notification(m, MACH_NOTIFY_SEND_ONCE, None)?;
    quiet(n)?;
    release(&[p, n, m])
}

pub fn r_059_death_of_the_port_with_request() -> Outcome {
    let (p, q) = (port_with_send(1)?, port()?);
    arm(p, NO_SENDERS, 0, q)?;
    expect_code!(mod_refs(p, RECEIVE, -1), KERN_SUCCESS);
    expect_notification(q, MACH_NOTIFY_SEND_ONCE, None)?;
    expect_code!(deallocate(p), KERN_SUCCESS);
    // The extended part: destroy drops the last send right before the port.
    let p = port_with_send(1)?;
    arm(p, NO_SENDERS, 0, q)?;
    release(&[p])?;
    expect_notification(q, NO_SENDERS, Some(1))?;
    quiet(q)?;
    release(&[q])
}

pub fn r_060_needs_a_receive_right() -> Outcome {
    let (p, set, dead, s, n) = (port()?, port_set()?, dead_name(1)?, send_only(1)?, port()?);
    let once = send_once(p)?;
    let ask = |name| {
        let (code, _) = request(name, NO_SENDERS, 0, n, MAKE_SEND_ONCE);
        // The failed request made a send-once right and destroyed it.
        expect_notification(n, MACH_NOTIFY_SEND_ONCE, None).map(|_| code)
    };
    for name in [s.name, once, set, NULL, DEAD] {
        expect_code!(ask(name)?, KERN_INVALID_RIGHT);
    }
    expect_code!(ask(dead)?, KERN_INVALID_NAME, older KERN_INVALID_RIGHT);
    expect_code!(ask(unknown_name()?)?, KERN_INVALID_NAME);
    quiet(n)?;
    s.release()?;
    release(&[once, p, set, dead, n])
}
