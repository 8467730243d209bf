//! The systems, a file each.

#[cfg(feature = "iceoryx2")]
pub mod iceoryx2;
pub mod ipc_channel;
pub mod machipc;
pub mod pipe;
pub mod ring;
pub mod seqpacket;
