//! names of services.

use super::kit::*;
use machipc::mach::*;

pub fn r_190_check_in_and_look_up() -> Outcome {
    let service = service_name();
    let (code, door) = check_in(&service);
    expect_code!(code, BOOTSTRAP_SUCCESS);
    expect_eq!("type", kind(door)?, TYPE_RECEIVE);
    let mut client = Peer::start()?;
    let there = client.ask_name(&format!("look_up {service}"))?;
    expect_eq!("type there", client.ask(&format!("type {there}"))?, vec![0, TYPE_SEND.into()]);
    let order = format!("send {there} {COPY_SEND} 0 0 90 10000 word 7");
    expect_code!(client.ask_code(&order)?, MACH_MSG_SUCCESS);
    let message = receive(door)?;
    expect_eq!("id and data", (message.id, message.data()), (90, &[7][..]));
    expect_eq!("pid of the sender", message.trailer().audit[5], client.id());
    // The owner may look itself up.
    let (code, own) = look_up(&service);
    expect_code!(code, BOOTSTRAP_SUCCESS);
    expect_eq!("name for the owner", own, door);
    expect_eq!("type for the owner", kind(door)?, TYPE_SEND | TYPE_RECEIVE);
    client.close()?;
    release(&[door])
}

pub fn r_191_check_in_twice() -> Outcome {
    let service = service_name();
    let (code, door) = check_in(&service);
    expect_code!(code, BOOTSTRAP_SUCCESS);
    expect_code!(check_in(&service).0, BOOTSTRAP_SERVICE_ACTIVE);
    let mut other = Peer::start()?;
    expect_code!(other.ask_code(&format!("check_in {service}"))?, BOOTSTRAP_NOT_PRIVILEGED);
    let unknown = service_name();
    expect_code!(look_up(&unknown).0, BOOTSTRAP_UNKNOWN_SERVICE);
    expect_code!(other.ask_code(&format!("look_up {unknown}"))?, BOOTSTRAP_UNKNOWN_SERVICE);
    other.close()?;
    release(&[door])
}

pub fn r_192_register() -> Outcome {
    let (service, p) = (service_name(), port_with_send(2)?);
    expect_code!(register(&service, p), BOOTSTRAP_SUCCESS);
    expect_eq!("send refs", send_refs(p)?, 2);
    let mut other = Peer::start()?;
    let there = other.ask_name(&format!("look_up {service}"))?;
    expect_code!(other.ask_code(&format!("send {there} {COPY_SEND} 0 0 92 10000"))?, MACH_MSG_SUCCESS);
    expect_eq!("id", receive(p)?.id, 92);
    let own = other.ask_name("allocate 1")?;
    expect_code!(other.ask_code(&format!("insert {own} {own} {MAKE_SEND}"))?, KERN_SUCCESS);
    expect_code!(other.ask_code(&format!("register {service} {own}"))?, BOOTSTRAP_NOT_PRIVILEGED);
    expect_code!(register(&service, p), BOOTSTRAP_SERVICE_ACTIVE, older BOOTSTRAP_NAME_IN_USE);
    expect_eq!("send refs", send_refs(p)?, 2);
    other.close()?;
    release(&[p])
}

pub fn r_193_name_goes_with_its_owner() -> Outcome {
    let ends: [fn(&mut Peer, Name) -> Outcome; 3] = [
        |owner, _| owner.kill(),
        |owner, _| owner.exit().map(|_| ()),
        |owner, door| {
            expect_code!(owner.ask_code(&format!("mod_refs {door} {RECEIVE} -1"))?, KERN_SUCCESS);
            Ok(())
        },
    ];
    for registered in [false, true] {
        for end in ends {
            let service = service_name();
            let mut owner = Peer::start()?;
            let door = if registered {
                let door = owner.ask_name("allocate 1")?;
                expect_code!(owner.ask_code(&format!("insert {door} {door} {MAKE_SEND}"))?, KERN_SUCCESS);
                expect_code!(owner.ask_code(&format!("register {service} {door}"))?, BOOTSTRAP_SUCCESS);
                door
            } else {
                owner.ask_name(&format!("check_in {service}"))?
            };
            let (code, here) = look_up(&service);
            expect_code!(code, BOOTSTRAP_SUCCESS);
            expect_eq!("type", kind(here)?, TYPE_SEND);
            end(&mut owner, door)?;
            Peer::await_death(here)?;
            look_up_until(&service, BOOTSTRAP_UNKNOWN_SERVICE)?;
            let (code, mine) = check_in(&service);
            expect_code!(code, BOOTSTRAP_SUCCESS);
            owner.close()?;
            release(&[here, mine])?;
        }
    }
    Ok(())
}

pub fn r_194_declared_service_outlives_its_owner() -> Outcome {
    let declared = Declared::new()?;
    let service = &declared.service;
    let mut owner = declared.start_owner()?;
    let door = owner.ask_name(&format!("check_in {service}"))?;
    let (code, here) = look_up(service);
    expect_code!(code, BOOTSTRAP_SUCCESS);
    expect_code!(Message::to(here, COPY_SEND).id(1).send(), MACH_MSG_SUCCESS);
    expect_eq!("id at the owner", owner.ask(&format!("receive {door} 10000"))?[4], 1);
    owner.kill()?;
    for id in 2..=4 {
        expect_code!(Message::to(here, COPY_SEND).id(id).send(), MACH_MSG_SUCCESS);
    }
    expect_eq!("type", kind(here)?, TYPE_SEND);
    let mut heir = declared.start_owner()?;
    let door = heir.ask_name(&format!("check_in {service}"))?;
    for id in 2..=4 {
        expect_eq!("id at the heir", heir.ask(&format!("receive {door} 10000"))?[4], id);
    }
    owner.close()?;
    heir.close()?;
    release(&[here])
}

pub fn r_195_longest_name() -> Outcome {
    let mut service = service_name();
    service.extend(std::iter::repeat_n('x', 127 - service.len()));
    let (code, door) = check_in(&service);
    expect_code!(code, BOOTSTRAP_SUCCESS);
    let mut client = Peer::start()?;
    let there = client.ask_name(&format!("look_up {service}"))?;
    expect_code!(client.ask_code(&format!("send {there} {COPY_SEND} 0 0 95 10000"))?, MACH_MSG_SUCCESS);
    expect_eq!("id", receive(door)?.id, 95);
    // Another name differs in its last byte only.
    let other = format!("{}y", &service[..126]);
    expect_code!(look_up(&other).0, BOOTSTRAP_UNKNOWN_SERVICE);
    client.close()?;
    release(&[door])
}

pub fn r_196_look_up_twice() -> Outcome {
    let mut owner = Peer::start()?;
    let service = service_name();
    owner.ask_name(&format!("check_in {service}"))?;
    let (first, second) = (look_up(&service), look_up(&service));
    expect_code!(first.0, BOOTSTRAP_SUCCESS);
    expect_code!(second.0, BOOTSTRAP_SUCCESS);
    expect_eq!("name", second.1, first.1);
    expect_eq!("send refs", send_refs(first.1)?, 2);
    release(&[first.1])?;
    owner.close()
}
