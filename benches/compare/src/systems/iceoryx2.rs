//! iceoryx2: publish-subscribe for one-way messages and request-response for calls, both on loaned memory. Sleeping, an event goes
//! with each message, as in its example `event_based_communication`. Nothing is overwritten: a full queue makes the sender wait.

use iceoryx2::config::Config;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::prelude::*;

use crate::Outcome;
use crate::ends::{Caller, Desk, Inbox, Outbox};
use crate::system::{Job, System, Waiting};
use crate::work::{Fill, Work};

pub struct Iceoryx2 {
    pub waiting: Waiting,
}

type Service = ipc::Service;
/// The alignment of the payload. More than bytes need, so that copies are fast.
const ALIGNMENT: usize = 64;

impl System for Iceoryx2 {
    fn name(&self) -> &'static str {
        "iceoryx2"
    }

    fn waiting(&self) -> Waiting {
        self.waiting
    }

    fn receive(&self, job: &Job, mut inbox: Inbox) -> Outcome {
        let node = node(job)?;
        let service = messages(&node, &job.work)?;
        let subscriber = service.subscriber_builder().create()?;
        let bell = self.listener(&node, job, "messages")?;
        inbox.ready()?;
        loop {
            let Some(message) = subscriber.receive()? else {
                wait(&bell)?;
                continue;
            };
            if inbox.take(message.payload())? {
                return Ok(());
            }
        }
    }

    fn send(&self, job: &Job, mut outbox: Outbox) -> Outcome {
        let node = node(job)?;
        let publisher = messages(&node, &job.work)?
            .publisher_builder()
            .initial_max_slice_len(job.work.len)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        let bell = self.notifier(&node, job, "messages")?;
        loop {
            match job.work.fill {
                Fill::Copied | Fill::Batched => {
                    let Some(message) = outbox.next()? else { return Ok(()) };
                    publisher.loan_slice_uninit(message.len())?.write_from_slice(message).send()?;
                }
                Fill::InPlace => {
                    let Some(stamp) = outbox.next_in_place()? else { return Ok(()) };
                    let sample = publisher.loan_slice_uninit(job.work.len)?;
                    // SAFETY: the memory is a mapping, so its bytes are those of earlier messages, or zero.
                    let mut sample = unsafe { sample.assume_init() };
                    stamp.write_ends(sample.payload_mut());
                    sample.send()?;
                }
            }
            ring(&bell)?;
        }
    }

    fn serve(&self, job: &Job, mut desk: Desk) -> Outcome {
        let node = node(job)?;
        let server = calls(&node)?.server_builder().initial_max_slice_len(job.work.len).create()?;
        let asked = self.listener(&node, job, "requests")?;
        let answered = self.notifier(&node, job, "answers")?;
        desk.ready()?;
        loop {
            let Some(request) = server.receive()? else {
                wait(&asked)?;
                continue;
            };
            if job.work.fill == Fill::InPlace {
                let stamp = desk.answer_in_place(request.payload())?;
                let answer = request.loan_slice_uninit(job.work.len)?;
                // SAFETY: the memory is a mapping, so its bytes are those of earlier answers, or zero.
                let mut answer = unsafe { answer.assume_init() };
                stamp.write_ends(answer.payload_mut());
                answer.send()?;
            } else {
                let answer = desk.answer(request.payload())?;
                request.loan_slice_uninit(answer.len())?.write_from_slice(answer).send()?;
            }
            ring(&answered)?;
            if desk.answered()? {
                return Ok(());
            }
        }
    }

    fn call(&self, job: &Job, mut caller: Caller) -> Outcome {
        let node = node(job)?;
        let client = calls(&node)?.client_builder().initial_max_slice_len(job.work.len).create()?;
        let asked = self.notifier(&node, job, "requests")?;
        let answered = self.listener(&node, job, "answers")?;
        loop {
            let pending = if job.work.fill == Fill::InPlace {
                let Some(stamp) = caller.next_in_place()? else { return Ok(()) };
                let request = client.loan_slice_uninit(job.work.len)?;
                // SAFETY: the memory is a mapping, so its bytes are those of earlier requests, or zero.
                let mut request = unsafe { request.assume_init() };
                stamp.write_ends(request.payload_mut());
                request.send()?
            } else {
                let Some(request) = caller.next()? else { return Ok(()) };
                client.loan_slice_uninit(request.len())?.write_from_slice(request).send()?
            };
            ring(&asked)?;
            let answer = loop {
                match pending.receive()? {
                    Some(answer) => break answer,
                    None => wait(&answered)?,
                }
            };
            caller.took(answer.payload())?;
        }
    }
}

impl Iceoryx2 {
    fn listener(&self, node: &Node<Service>, job: &Job, name: &str) -> Outcome<Option<Listener<Service>>> {
        Ok(match self.waiting {
            Waiting::Sleeps => Some(events(node, &job.work, name)?.listener_builder().create()?),
            _ => None,
        })
    }

    fn notifier(&self, node: &Node<Service>, job: &Job, name: &str) -> Outcome<Option<Notifier<Service>>> {
        Ok(match self.waiting {
            Waiting::Sleeps => Some(events(node, &job.work, name)?.notifier_builder().create()?),
            _ => None,
        })
    }
}

/// Waits for an event; where there are none, looks again soon.
#[inline]
fn wait(bell: &Option<Listener<Service>>) -> Outcome {
    match bell {
        Some(bell) => drop(bell.blocking_wait(|_| ())?),
        None => std::hint::spin_loop(),
    }
    Ok(())
}

#[inline]
fn ring(bell: &Option<Notifier<Service>>) -> Outcome {
    if let Some(bell) = bell {
        bell.notify()?;
    }
    Ok(())
}

/// A node whose files are those of this run.
fn node(job: &Job) -> Outcome<Node<Service>> {
    set_log_level(LogLevel::Error);
    let directory = job.directory.to_str().ok_or("the directory's name is no text")?;
    let mut config = Config::default();
    config.global.set_root_path(&directory.try_into()?);
    let last =
        job.directory.file_name().and_then(|name| name.to_str()).ok_or("a directory without a name")?;
    config.global.prefix = last.try_into()?;
    // Every client would look at all the others' files, for what dead processes left: here nobody is dead.
    config.global.node.cleanup_dead_nodes_on_creation = false;
    config.global.node.cleanup_dead_nodes_on_destruction = false;
    config.global.service.cleanup_dead_nodes_on_open = false;
    Ok(NodeBuilder::new().config(&config).create::<Service>()?)
}

type Messages = iceoryx2::service::port_factory::publish_subscribe::PortFactory<Service, [u8], ()>;
type Calls = iceoryx2::service::port_factory::request_response::PortFactory<Service, [u8], (), [u8], ()>;
type Events = iceoryx2::service::port_factory::event::PortFactory<Service>;

fn messages(node: &Node<Service>, work: &Work) -> Outcome<Messages> {
    // Small messages: as many as pay off. Large ones: few, so that they stay in the caches.
    let queue = match work.len {
        ..=4096 => 256,
        4097..=1_000_000 => 8,
        _ => 3,
    };
    Ok(node
        .service_builder(&"messages".try_into()?)
        .publish_subscribe::<[u8]>()
        .payload_alignment(Alignment::new(ALIGNMENT).ok_or("no alignment")?)
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(queue)
        .history_size(0)
        .max_publishers(work.clients())
        .max_nodes(work.clients() + 1)
        .open_or_create()?)
}

fn calls(node: &Node<Service>) -> Outcome<Calls> {
    let alignment = Alignment::new(ALIGNMENT).ok_or("no alignment")?;
    Ok(node
        .service_builder(&"calls".try_into()?)
        .request_response::<[u8], [u8]>()
        .request_payload_alignment(alignment)
        .response_payload_alignment(alignment)
        .open_or_create()?)
}

fn events(node: &Node<Service>, work: &Work, name: &str) -> Outcome<Events> {
    Ok(node
        .service_builder(&format!("events/{name}").as_str().try_into()?)
        .event()
        .max_notifiers(work.clients())
        .max_nodes(work.clients() + 1)
        .open_or_create()?)
}
