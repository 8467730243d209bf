#[machipc::endpoint("com.example.kv")]
enum Kv {
    #[mach(id = 64)]
    First,
    #[mach(id = 72)]
    Last,
    #[mach(id = 73)]
    Free,
    #[mach(id = 0x2000_0000)]
    Reply,
    #[mach(id = 0x3000_0000)]
    Plain,
}

fn main() {}
