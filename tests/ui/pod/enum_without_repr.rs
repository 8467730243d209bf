use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
enum Side {
    Left,
    Right,
}

fn main() {}
