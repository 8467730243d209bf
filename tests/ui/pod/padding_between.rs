use machipc::MachMessage;
use machipc::zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

#[derive(MachMessage, TryFromBytes, IntoBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "machipc::zerocopy")]
#[mach(pod)]
#[repr(C)]
struct Entry {
    kind: u8,
    len: u32,
    time: u64,
}

fn main() {}
