//! Typed messaging over Mach ports.

pub mod mach;
pub mod message;
pub mod port;
