use machipc::MachMessage;


#[derive(MachMessage)]
struct Put {
    key: String,
    #[mach(since = 3)]
    expires: u64,
    #[mach(since = 2)]
    owner: u32,
}

fn main() {}
