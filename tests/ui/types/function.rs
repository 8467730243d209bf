use machipc::MachMessage;


#[derive(MachMessage)]
struct Callback {
    when_done: fn(u32) -> bool,
}

fn main() {}
