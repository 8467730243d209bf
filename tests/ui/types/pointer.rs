use machipc::MachMessage;


#[derive(MachMessage)]
struct Shared {
    len: usize,
    start: *const u8,
}

fn main() {}
