use machipc::MachMessage;


#[derive(MachMessage)]
struct Put {
    key: String,
    #[mach(since = 2)]
    expires: u64,
    value: Vec<u8>,
}

fn main() {}
