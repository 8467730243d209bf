use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(C)]
enum Side {
    Left,
    Right,
}

fn main() {}
