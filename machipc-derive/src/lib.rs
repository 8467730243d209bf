//! The macros of machipc. Use them through the `machipc` crate.
