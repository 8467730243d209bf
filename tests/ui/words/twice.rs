use machipc::MachMessage;


#[derive(MachMessage)]
struct Put {
    key: String,
    #[mach(ool, ool)]
    value: Vec<u8>,
    #[mach(since = 2)]
    #[mach(since = 3)]
    expires: u64,
}

fn main() {}
