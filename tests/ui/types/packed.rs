use machipc::MachMessage;


#[derive(MachMessage)]
#[repr(C, packed)]
struct Tight {
    kind: u8,
    len: u32,
}

fn main() {}
