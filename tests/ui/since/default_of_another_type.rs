use machipc::MachMessage;


#[derive(MachMessage)]
struct Put {
    key: String,
    #[mach(since = 2, default = "never")]
    expires: u64,
}

fn never() -> Option<u64> {
    None
}

fn main() {}
