use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(C)]
struct Point {
    x: u32,
    y: u32,
}

fn main() {}
