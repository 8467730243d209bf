//! ipc-channel: bytes channels, which its manual offers for plain bytes and which are its fastest. All senders share one channel.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender};

use crate::Outcome;
use crate::ends::{Caller, Desk, Inbox, Outbox};
use crate::system::{Job, System, Waiting};
use crate::work::{Fill, Work};

pub struct IpcChannel;

impl System for IpcChannel {
    fn name(&self) -> &'static str {
        "ipc-channel"
    }

    fn waiting(&self) -> Waiting {
        Waiting::Sleeps
    }

    fn lacks(&self, work: &Work) -> Option<&'static str> {
        (work.fill == Fill::InPlace)
            .then_some("its shared memory is new for each message, and filled by a copy")
    }

    fn receive(&self, job: &Job, mut inbox: Inbox) -> Outcome {
        inbox.ready()?;
        let (sender, receiver) = ipc::bytes_channel()?;
        for client in 0..job.work.clients() {
            give(job, client, sender.clone())?;
        }
        while !inbox.take(&receiver.recv()?)? {}
        Ok(())
    }

    fn send(&self, job: &Job, mut outbox: Outbox) -> Outcome {
        let sender = take::<IpcBytesSender>(job, job.client)?;
        while let Some(message) = outbox.next()? {
            sender.send(message)?;
        }
        Ok(())
    }

    fn serve(&self, job: &Job, mut desk: Desk) -> Outcome {
        desk.ready()?;
        let (sender, requests) = ipc::bytes_channel()?;
        let (answers, receiver) = ipc::bytes_channel()?;
        give(job, 0, (sender, receiver))?;
        loop {
            answers.send(desk.answer(&requests.recv()?)?)?;
            if desk.answered()? {
                return Ok(());
            }
        }
    }

    fn call(&self, job: &Job, mut caller: Caller) -> Outcome {
        let (requests, answers) = take::<(IpcBytesSender, IpcBytesReceiver)>(job, job.client)?;
        while let Some(request) = caller.next()? {
            requests.send(request)?;
            caller.took(&answers.recv()?)?;
        }
        Ok(())
    }
}

trait Channel: serde::Serialize + for<'de> serde::Deserialize<'de> {}
impl<T: serde::Serialize + for<'de> serde::Deserialize<'de>> Channel for T {}

fn path(job: &Job, client: usize) -> PathBuf {
    job.directory.join(format!("client.{client}"))
}

/// Gives one client its channel: it brings a way to itself to a server that waits for it.
fn give<T: Channel>(job: &Job, client: usize, channel: T) -> Outcome {
    let (server, name) = IpcOneShotServer::<IpcSender<T>>::new()?;
    // Whole or not at all.
    let (path, half) = (path(job, client), job.directory.join("half"));
    fs::write(&half, name)?;
    fs::rename(&half, &path)?;
    let (_, to_client) = server.accept()?;
    Ok(to_client.send(channel)?)
}

/// Takes what [`give`] gives.
fn take<T: Channel>(job: &Job, client: usize) -> Outcome<T> {
    let start = Instant::now();
    let name = loop {
        match fs::read_to_string(path(job, client)) {
            Err(_) if start.elapsed().as_secs() < 20 => std::thread::sleep(Duration::from_millis(1)),
            other => break other?,
        }
    };
    let (sender, receiver) = ipc::channel::<T>()?;
    IpcSender::connect(name)?.send(sender)?;
    Ok(receiver.recv()?)
}
