//! Endpoints that are traits, without a prelude, under another crate's name, and among names that generated code might take for its own.

#[allow(dead_code, unused_imports, reason = "much of it is only in the way")]
mod names {
    use crate::names::{
        Clone, Default, Err, Everything, None, Ok, Option, Result, Self_, Send, Some, Vec, core, i32,
        machipc, std, usize,
    };

    #[::ipc::endpoint("com.example.hygiene.service", crate = "::ipc")]
    pub(crate) trait T {
        fn ok(&self, key: &str, value: &[u8], cx: u8, ctx: &::ipc::Context) -> u8;
        fn r#type(&self, r#move: u8, message: u8, out: u8);
        #[oneway]
        #[mach(variant = Own)]
        fn self_(&self);
    }
}

/// A documented trait.
#[::ipc::endpoint("com.example.hygiene.trait", crate = ::ipc)]
pub trait Store {
    /// Finds a value.
    fn get(&self, key: &str) -> ::std::option::Option<::std::string::String>;
    /// Forgets all.
    #[oneway]
    fn clear(&self);
    /// Not there.
    #[cfg(any())]
    fn nowhere(&self, nothing: Nothing) -> Nothing;
    /// In the tests.
    #[cfg(test)]
    fn here(&self, path: &::std::path::Path);
    /// Elsewhere.
    #[cfg(not(test))]
    fn here(&self, path: u8);
}

#[cfg(test)]
pub(crate) use names::{T, TClient, TMessage, TServer};

/// With streams, one error, and futures.
#[::ipc::endpoint("com.example.hygiene.later", crate = ::ipc, flat_errors)]
pub trait Later {
    /// Streams back.
    fn watch(&self, prefix: &str, out: ::ipc::Sink<u32>) -> ::std::result::Result<u8, u16>;
    /// Is streamed to.
    fn store(&self, parts: ::ipc::Source<u32, u8>) -> u64;
    /// Takes its time.
    async fn sleep(&self, time: u64) -> ::std::result::Result<(), u16>;
    /// As well, and nobody waits.
    #[oneway]
    async fn wake(&self);
}
