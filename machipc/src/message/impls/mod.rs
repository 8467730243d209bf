//! The types of the standard library that can travel.

mod array;
mod choice;
mod file;
mod map;
mod net;
mod number;
mod path;
mod plain;
mod pointer;
mod range;
mod sequence;
mod set;
mod text;
mod time;
mod tuple;
#[cfg(feature = "uuid")]
mod uuid;

/// Makes types that own all they hold whole messages: their view is the type itself.
macro_rules! owned_message {
    ($($type:ty),* $(,)?) => { $(
        impl crate::message::MachMessage for $type {
            type View<'a> = Self;
        }
    )* };
}
use owned_message;
