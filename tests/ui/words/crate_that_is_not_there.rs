#[derive(machipc::MachMessage)]
#[mach(crate = "ipc")]
struct Put {
    key: String,
}

fn main() {}
