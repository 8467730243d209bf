use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(u8)]
enum Side {
    Left,
    #[mach(id = 7)]
    Right,
}

fn main() {}
