use machipc::MachMessage;


#[derive(MachMessage)]
struct Put {
    key: String,
    #[mach(default)]
    expires: u64,
}

fn main() {}
