//! The seam: Mach's own calls, types, constants and return codes, on every system.
//!
//! # Contract
//!
//! Everything above this module is the same source on every system; everything that knows the system is below it. The
//! module is the Mach API itself, under its own names: what holds for `mach_msg` in `<mach/message.h>` holds for
//! [`mach_msg`](fn@mach_msg) here. A backend supplies the functions of `calls.rs` and keeps these promises:
//!
//! 1. **Layouts and values** of [`types`](self) and constants are those of LP64 Darwin; nothing else travels.
//! 2. **Return codes** are Mach's, compared by value. No call panics, whatever its arguments.
//! 3. **Names** are local to the task. A call without pointer arguments is safe: a wrong name gives a wrong result or an
//!    error, never undefined behaviour.
//! 4. **Time-outs** are in milliseconds and are lower bounds.
//! 5. **Signals** interrupt a wait only where `MACH_SEND_INTERRUPT` or `MACH_RCV_INTERRUPT` asks for it. On Linux a
//!    handler that was installed with `SA_RESTART` may leave the wait as it is.
//! 6. **Threads** may make any call at any time.
//! 7. **Received memory** belongs to the receiver until `vm_deallocate`; what was sent is a snapshot.
//! 8. **Readiness**: the calls `readiness_*` are not Mach's. They stand for what each system has to wait for messages and
//!    for files at once; [`readiness_open`] says how they are used.
//! 9. **Waiting**: [`set_waiting`] is not Mach's either. It chooses between delay and processor time, and changes nothing
//!    else.
//! 10. **Rows**: [`mach_msg_send_row`] and [`mach_msg_receive_row`] are not Mach's. They mean what one message after the other means.
//! 11. **Gathered memory**: [`mach_msg_send_gathered`] and [`mach_msg_send_parts`] are not Mach's. They mean what [`mach_msg`](fn@mach_msg) means
//!     once the memory lies in one place.
//! 12. **Clock**: [`machine_time`] is the time by which processes of one machine tell each other when.
//! 13. **Loans**: `loan_allow`, [`loan_offer`], [`loan_allocate`] and [`loan_allocate_to`] are not Mach's. They are for tasks that trust each other,
//!     and change what memory costs and who may write it, not what arrives.
//! 14. **Senders**: [`process_lives`] is not Mach's. It tells whether a message's sender is still there.
//!
//! On Apple systems the backend is the kernel, through `mach2` and the declarations that crate lacks. On Linux it is
//! the embedded implementation of Mach ports, which lives in the process and needs no daemon, root or kernel module.

#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)] // the names are Mach's own

#[doc(hidden)]
#[macro_use]
pub mod layout;

mod calls;
mod constants;
mod gathered;
mod kqueue;
mod loans;
#[macro_use]
mod prototypes;
mod rows;
mod types;

#[cfg(target_vendor = "apple")]
#[path = "darwin/mod.rs"]
mod imp;
#[cfg(target_os = "linux")]
#[path = "embedded/mod.rs"]
mod imp;
/// What the Apple backend makes of the seam's own calls, tested here too.
#[cfg(all(test, target_os = "linux"))]
#[path = "darwin/inheritance.rs"]
mod inheritance_by_name;
#[cfg(not(any(target_vendor = "apple", target_os = "linux")))]
compile_error!("machipc runs on Apple systems (on Mach itself) and on Linux (on its embedded Mach)");
#[cfg(target_endian = "big")]
compile_error!("machipc's wire format is little-endian and this target is big-endian");

pub use calls::*;
pub use constants::*;
pub use gathered::*;
pub use loans::*;
pub use rows::*;
pub use types::*;
