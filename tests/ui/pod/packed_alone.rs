use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(packed)]
struct Tight {
    kind: u8,
    len: u32,
}

fn main() {}
