use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(fast)]
struct Put<'a, 'b: 'static> {
    #[mach(default)]
    key: &'static str,
    #[mach(since = 2, ool = 1)]
    value: *const u8,
    done: fn(),
    reply: machipc::Reply<u32>,
    rest: &'b [u8],
    last: &'a str,
}

fn main() {}
