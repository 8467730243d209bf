use machipc::MachMessage;


#[derive(MachMessage)]
struct Put {
    #[mach(ool default)]
    value: Vec<u8>,
    #[mach = "ool"]
    key: Vec<u8>,
    #[mach(since(2))]
    expires: u64,
}

fn main() {}
