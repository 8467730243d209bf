//! Typed messages over Mach ports: structs and enums between processes, with replies, port rights, files and large memory as ordinary
//! fields. On Apple systems it speaks to the kernel; on Linux it brings the Mach ports along, in the process, with nothing to install.
//!
//! # With it
//!
//! ```no_run
//! use machipc::{Context, Host, Reply};
//!
//! #[machipc::endpoint("com.example.shapes")]
//! enum Shapes<'a> {
//!     Draw { name: &'a str, points: &'a [f32] },
//!     Count { reply: Reply<u64> },
//! }
//!
//! // In one process:
//! let host = Host::<Shapes>::bind(|message: Shapes<'_>, cx: &Context| match message {
//!     Shapes::Draw { name, points } => println!("{} draws {name}: {points:?}", cx.peer().pid()),
//!     Shapes::Count { reply } => drop(reply.send_on_return(2)),
//! })?;
//!
//! // In another:
//! let shapes = ShapesClient::connect()?;
//! shapes.draw("square", &[0.0, 1.0, 1.0, 0.0])?;
//! assert_eq!(shapes.count()?, 2);
//! # Ok::<(), machipc::Error>(())
//! ```
//!
//! # Without it
//!
//! The same calls by hand, for one message of fixed size, sent and received in one process. What a program needs besides is not shown:
//! telling one message from another, checking every length that a peer wrote, destroying the rights and memory that nobody asked for, larger
//! receive buffers, the sender's identity, and what to do when a send fails half-way.
//!
//! ```
//! use machipc::mach::*;
//!
//! #[repr(C)]
//! struct Draw {
//!     header: mach_msg_header_t,
//!     points: [f32; 4],
//!     trailer: mach_msg_trailer_t, // the kernel's, on receipt
//! }
//!
//! let (task, mut port) = (mach_task_self(), MACH_PORT_NULL);
//! // SAFETY: `port` is valid for one write.
//! assert_eq!(unsafe { mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &mut port) }, KERN_SUCCESS);
//! assert_eq!(mach_port_insert_right(task, port, port, MACH_MSG_TYPE_MAKE_SEND), KERN_SUCCESS);
//!
//! let size = size_of::<Draw>() as u32;
//! let sent = size - size_of::<mach_msg_trailer_t>() as u32;
//! let header = mach_msg_header_t {
//!     msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
//!     msgh_size: sent,
//!     msgh_remote_port: port,
//!     msgh_local_port: MACH_PORT_NULL,
//!     msgh_voucher_port: MACH_PORT_NULL,
//!     msgh_id: 1,
//! };
//! let mut draw = Draw { header, points: [0.0, 1.0, 1.0, 0.0], trailer: mach_msg_trailer_t::default() };
//! // SAFETY: the message is a whole one of `sent` bytes, aligned to 4, and names no memory.
//! let code = unsafe { mach_msg(&mut draw.header, MACH_SEND_MSG, sent, 0, 0, 0, 0) };
//! assert_eq!(code, MACH_MSG_SUCCESS);
//!
//! draw.points = [0.0; 4];
//! // SAFETY: `draw` is writable for `size` bytes, and any bytes are a `Draw`.
//! let code = unsafe { mach_msg(&mut draw.header, MACH_RCV_MSG, 0, size, port, 0, 0) };
//! assert_eq!((code, draw.points), (MACH_MSG_SUCCESS, [0.0, 1.0, 1.0, 0.0]));
//! # mach_port_mod_refs(task, port, MACH_PORT_RIGHT_RECEIVE, -1);
//! # mach_port_deallocate(task, port);
//! ```
//!
//! # Guide
//!
//! 1. **Say what is spoken.** [`#[machipc::endpoint("name")]`](macro@endpoint) on an enum: each variant is a message, a variant whose last field is a
//!    [`Reply<T>`](Reply) is a request. [`#[derive(MachMessage)]`](derive@MachMessage) makes structs and enums that can be fields, or messages of
//!    their own; [`#[machipc::pod]`](macro@pod) makes plain data that is borrowed whole. Both processes are built from the same definition.
//! 2. **Serve it.** [`Host::bind`] runs a handler on a thread of its own, [`HostBuilder::run`] on this one. The handler gets the enum, borrowing from
//!    the receive buffer, and a [`Context`] that says who sent it. [`Host::builder`] has the settings: threads, queue limit, largest
//!    message, [whom to serve](PeerPolicy), [logger](Logger).
//! 3. **Call it.** The macro makes a client, named after the enum, with a method for each variant. [`connect`](Client::connect) finds the
//!    host by name, [`connect_timeout`](Client::connect_timeout) waits for it to appear, [`connect_with`](Client::connect_with) can also go on with the
//!    next host when it dies, [`Client::from_right`] takes a right that came in a message, and [`Client::from_parent`] what the parent process
//!    [handed](Host::hand_to) its child.
//!
//! Beyond that:
//!
//! - **Plain messages under a name chosen at run time**: `Host::<String>::builder().name(…)` and `Client::<String>::connect_to(…)`, for any
//!   [`MachMessage`](trait@MachMessage).
//! - **A right in a message**: a field of type [`SendRight<Event>`](SendRight) lets the receiver send `Event`s to whatever port it is a right
//!   to, such as an unnamed host's ([`Host::send_right`]). [`std::os::fd::OwnedFd`] is a field like any other.
//! - **Without blocking**: [`AsyncClient`], and `KvAsyncClient` beside `KvClient`, have futures for any executor. [`Client::start`] returns a
//!   call under way, to wait for later. [`HostBuilder::serve_async_on`] handles each message in a task, and [`Reply::cancelled`] tells it that
//!   nobody waits any more.
//! - **Streams**: a field [`Sink<Event>`](Sink) lets the host send many events to the caller, who iterates over its [`Source`]; a field
//!   `Source` goes the other way. A slow reader holds up the writer, and either side sees at once when the other has gone.
//! - **A trait instead of an enum**: the same attribute on a trait makes what implements it a host. See
//!   [the trait form](macro@endpoint#the-trait-form).
//! - **Large data**: a payload of more than 68 KiB travels out of line by itself. `#[mach(ool)]` sends a field's bytes that way always, and
//!   [`OolBuffer`] is memory that is built in place and moves instead of being copied.
//! - **Answers without a value of their own**: [`Reply::send_view`] answers from memory that the host goes on using, and [`Client::call_view`] looks
//!   at an answer where it was received. Each saves its own side an allocation and a copy.
//! - **Many small messages**: [`Client::batch`] collects one-way messages and sends them together, at a fraction of what each costs by itself.
//! - **Memory that both sides have mapped**: [`Client::loan`], [`Reply::loan`] for answers and [`Context::loan`] for items of streams as well, between a
//!   client and a host that [trust](Trust) each other.
//! - **A failed send gives the message back**, with every right and byte in it: [`SendError::into_message`].
//! - **Nothing waits for ever** unless told to: sends and calls have a deadline of 30 seconds, which [`Client::with_deadline`] changes. A
//!   call has one for everything, and what a handler calls waits no longer than its own caller, unless [`Client::detached`]. A host
//!   that dies, or that drops a reply, ends the wait at once.
//! - **Hooks around messages**: an [`Interceptor`] of a host or a client sees every message and what comes of it, and may deny it. [`Counters`],
//!   [`Permission`] and [`Spans`] are ready made. A [`TraceContext`] goes along from process to process.
//! - **A full queue** makes a client wait, unless [`Client::when_full`] has it fail at once, or drop the message and count it.
//! - **In the same process** a client calls the handler with the value itself. See [`registry`].
//! - **Old and new peers**: fields marked `#[mach(since = N)]` may be missing or unknown; everything else is covered by a fingerprint,
//!   and a difference is an error, when a client connects, that says what differs.
//! - **The floors below** are public too: [`port`] has rights and messages as values, [`message`] the bytes, [`mach`] the calls.
//!
//! # What is promised
//!
//! - Whatever bytes, rights and memory a peer sends, the receiver gets a value or an error: no panic, no read past the end, no allocation
//!   beyond the size of what came, nothing left over.
//! - A value that holds a right releases exactly that when it is dropped, and nothing once the right has moved away in a message.
//! - The sender's identity is the system's word, not the sender's.
//! - The modules above the seam are the same source on every system.
//!
//! # What is not promised
//!
//! - Delivery: a one-way message that was sent may be refused by its host, or die with it. [`HostStats`] and the log tell.
//! - Secrecy: messages are not encrypted. Who may read a process's memory may read its messages.
//! - A wire format that stays the same before 1.0: build both sides with the same version of this crate.
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `tokio` | no | inside a tokio runtime (with I/O and time enabled), futures are driven by it and not by a thread of this crate |
//! | `uuid` | no | `uuid::Uuid` as a field |
//! | `trap-counter` | no | counts the calls of `mach_msg`, for this crate's own tests |
//!
//! # Systems
//!
//! Linux, on the embedded Mach: tested. 64-bit Apple systems, on the kernel's Mach: compiled, linked and checked against Apple's headers, and
//! not yet run on one. Anything else, and every big-endian target, is a compile error.

#![deny(unsafe_code)]

#[allow(
    unsafe_code,
    reason = "the seam: pointers from callers, system calls, memory that is shared with other processes"
)]
pub mod mach;
pub mod message;
#[allow(unsafe_code, reason = "calls of the seam that take pointers, and memory that came in messages")]
pub mod port;
pub mod registry;

mod client;
mod context;
mod driver;
mod endpoint;
mod error;
mod family;
mod host;
mod interceptor;
mod logger;
mod macros;
mod reply;
mod scope;
mod scratch;
mod stream;
#[allow(unsafe_code, reason = "one call of libSystem that no crate declares")]
mod thread_priority;

pub use client::{AsyncBatch, AsyncClient, Batch, Client, ConnectOptions, PendingReply, Reconnect, WhenFull};
pub use context::Context;
pub use error::{CallError, Dialect, Error, SendError};
pub use family::AwaitedClient;
pub use host::{AsyncHandler, Ended, Host, HostBuilder, HostStats, PeerPolicy, Task};
pub use interceptor::{
    Counters, Denial, Interceptor, MessageCount, MessageInfo, Outcome, Permission, Reason, Side, Spans,
};
pub use logger::{ConsoleLogger, LogLevel, LogRecord, Logger, TracingLogger};
pub use macros::{MachMessage, endpoint, pod};
pub use message::{MachMessage, TraceContext, TraceParseError};
pub use port::{OolBuffer, ReceiveRight, SendOnceRight, SendRight, Sender, Trust, Waiting};
pub use reply::{Reply, ReplyValue, ReplyView};
pub use stream::{AsyncSink, AsyncSource, Sink, Source, StreamError, stream, stream_with};
pub use thread_priority::ThreadPriority;
/// The crate whose derives plain data needs: see [`pod`](macro@pod).
#[doc(no_inline)]
pub use zerocopy;

#[doc(hidden)]
pub mod __private_0_1 {
    pub use crate::endpoint::*;
}
