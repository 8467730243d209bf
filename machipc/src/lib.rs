//! Typed messaging over Mach ports.

pub mod mach;
pub mod message;
pub mod port;
pub mod registry;

mod client;
mod context;
mod endpoint;
mod error;
mod host;
mod logger;
mod reply;
mod scratch;
mod thread_priority;

pub use client::Client;
pub use context::Context;
pub use error::{Dialect, Error, SendError};
pub use host::{Host, HostBuilder, HostStats, PeerPolicy};
pub use logger::{ConsoleLogger, LogLevel, LogRecord, Logger, TracingLogger};
pub use machipc_derive::{MachMessage, endpoint, pod};
pub use message::MachMessage;
pub use port::{OolBuffer, ReceiveRight, SendOnceRight, SendRight, Sender};
pub use reply::{Reply, ReplyValue};
pub use thread_priority::ThreadPriority;
/// The crate whose derives plain data needs: see [`pod`](macro@pod).
#[doc(no_inline)]
pub use zerocopy;

#[doc(hidden)]
pub mod __private_0_1 {
    pub use crate::endpoint::*;
}
