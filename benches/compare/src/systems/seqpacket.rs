//! A Unix socket that keeps the bounds of messages (`SOCK_SEQPACKET`). Large messages go in packets of 128 KiB, which was best of
//! 32 KiB to 512 KiB; several connections are watched by epoll.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect,
    listen, recv, send, socket_with, sockopt,
};

use crate::Outcome;
use crate::ends::{Caller, Desk, Inbox, Outbox};
use crate::system::{Job, System, Waiting};
use crate::work::{Fill, Work};

pub struct Seqpacket;

const PACKET: usize = 128 * 1024;
/// The send buffer where messages are large. The default holds one packet.
const LARGE: usize = 1 << 20;
const LARGE_MESSAGE: usize = 64 * 1024;

impl System for Seqpacket {
    fn name(&self) -> &'static str {
        "unix seqpacket"
    }

    fn waiting(&self) -> Waiting {
        Waiting::Sleeps
    }

    fn lacks(&self, work: &Work) -> Option<&'static str> {
        (work.fill == Fill::InPlace).then_some("it copies")
    }

    fn receive(&self, job: &Job, mut inbox: Inbox) -> Outcome {
        let listener = listener(job)?;
        inbox.ready()?;
        let mut peers = Vec::new();
        for _ in 0..job.work.clients() {
            peers.push(accept(&listener, job)?);
        }
        let mut buffer = vec![0; job.work.len];
        if let [peer] = &peers[..] {
            while !inbox.take(receive(peer, &mut buffer)?)? {}
            return Ok(());
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, peer) in peers.iter().enumerate() {
            epoll::add(&epoll, peer, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        }
        let mut events = Vec::with_capacity(64);
        loop {
            epoll::wait(&epoll, spare_capacity(&mut events), None)?;
            for event in events.drain(..) {
                let peer = &peers[event.data.u64() as usize];
                if inbox.take(receive(peer, &mut buffer)?)? {
                    return Ok(());
                }
            }
        }
    }

    fn send(&self, job: &Job, mut outbox: Outbox) -> Outcome {
        let socket = connected(job)?;
        while let Some(message) = outbox.next()? {
            transmit(&socket, message)?;
        }
        Ok(())
    }

    fn serve(&self, job: &Job, mut desk: Desk) -> Outcome {
        let listener = listener(job)?;
        desk.ready()?;
        let peer = accept(&listener, job)?;
        let mut buffer = vec![0; job.work.len];
        loop {
            transmit(&peer, desk.answer(receive(&peer, &mut buffer)?)?)?;
            if desk.answered()? {
                return Ok(());
            }
        }
    }

    fn call(&self, job: &Job, mut caller: Caller) -> Outcome {
        let socket = connected(job)?;
        let mut buffer = vec![0; job.work.len];
        while let Some(request) = caller.next()? {
            transmit(&socket, request)?;
            caller.took(receive(&socket, &mut buffer)?)?;
        }
        Ok(())
    }
}

fn path(job: &Job) -> PathBuf {
    job.directory.join("socket")
}

fn socket(job: &Job) -> Outcome<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    enlarge(&socket, job)?;
    Ok(socket)
}

fn enlarge(socket: &OwnedFd, job: &Job) -> Outcome {
    if job.work.len >= LARGE_MESSAGE {
        sockopt::set_socket_send_buffer_size(socket, LARGE)?;
    }
    Ok(())
}

fn listener(job: &Job) -> Outcome<OwnedFd> {
    let listener = socket(job)?;
    bind(&listener, &SocketAddrUnix::new(path(job))?)?;
    listen(&listener, 1024)?;
    Ok(listener)
}

fn accept(listener: &OwnedFd, job: &Job) -> Outcome<OwnedFd> {
    let peer = accept_with(listener, SocketFlags::CLOEXEC)?;
    enlarge(&peer, job)?;
    Ok(peer)
}

fn connected(job: &Job) -> Outcome<OwnedFd> {
    let socket = socket(job)?;
    connect(&socket, &SocketAddrUnix::new(path(job))?)?;
    Ok(socket)
}

fn transmit(socket: &OwnedFd, message: &[u8]) -> Outcome {
    for packet in message.chunks(PACKET) {
        send(socket, packet, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

fn receive<'b>(socket: &OwnedFd, buffer: &'b mut [u8]) -> Outcome<&'b [u8]> {
    let mut have = 0;
    while have < buffer.len() {
        let (more, _) = recv(socket, &mut buffer[have..], RecvFlags::empty())?;
        if more == 0 {
            return Err("the socket's other end is closed".into());
        }
        have += more;
    }
    Ok(buffer)
}
