use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(C)]
struct Name {
    len: u32,
    name: &'static [u8; 4],
}

fn main() {}
