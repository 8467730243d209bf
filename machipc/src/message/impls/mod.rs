//! The types of the standard library that can travel.

mod primitive;
