//! Typed messaging over Mach ports.

pub mod mach;
pub mod message;
pub mod port;
pub mod registry;

mod client;
mod context;
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
pub use message::MachMessage;
pub use port::{OolBuffer, ReceiveRight, SendOnceRight, SendRight, Sender};
pub use reply::{Reply, ReplyValue};
pub use thread_priority::ThreadPriority;
