//! What the macros generate, in a crate that makes it hard for them: no prelude, another name for the runtime, every lint, and names in
//! scope that generated code might take for its own.

#![no_implicit_prelude]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    rust_2018_idioms,
    future_incompatible,
    nonstandard_style,
    unused,
    unreachable_pub,
    unsafe_code,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unused_lifetimes,
    unused_qualifications,
    variant_size_differences
)]

mod endpoint_names;
mod names;
mod ordinary;
mod service;

#[cfg(test)]
mod tests;

pub use ordinary::{Kv, KvClient, Put, Sample};
pub use service::{
    Later, LaterClient, LaterMessage, LaterServer, Store, StoreClient, StoreMessage, StoreServer,
};
