use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(C)]
struct Entry {
    len: u32,
    #[mach(since = 2)]
    kind: u32,
    #[mach(ool)]
    bytes: [u8; 8],
}

fn main() {}
