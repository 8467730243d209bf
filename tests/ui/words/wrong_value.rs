use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod = true, crate = 7)]
struct Put {
    #[mach(ool = "yes")]
    value: Vec<u8>,
    #[mach(since = "two", default = 7)]
    expires: u64,
    #[mach(since)]
    owner: u32,
}

fn main() {}
