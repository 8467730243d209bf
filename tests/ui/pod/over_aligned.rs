use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(C, align(32))]
struct Block([u8; 32]);

fn main() {}
