use machipc::MachMessage;


#[derive(MachMessage)]
enum Lifetime {
    Short,
    Long,
}

#[derive(MachMessage)]
struct Put {
    key: String,
    #[mach(since = 2)]
    lifetime: Lifetime,
}

fn main() {}
