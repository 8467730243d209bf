use machipc::MachMessage;


#[derive(MachMessage)]
struct Scratch<'a> {
    bytes: &'a mut [u8],
}

fn main() {}
