use machipc::MachMessage;


#[derive(MachMessage)]
struct Put {
    #[mach(since = 0)]
    key: String,
}

fn main() {}
