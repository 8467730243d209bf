use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
struct Point {
    x: u32,
    y: u32,
}

fn main() {}
