use machipc::MachMessage;


#[derive(MachMessage)]
struct Bytes {
    len: u32,
    bytes: [u8],
}

fn main() {}
