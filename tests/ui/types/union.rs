use machipc::MachMessage;


#[derive(MachMessage)]
union Either {
    number: u32,
    bytes: [u8; 4],
}

fn main() {}
