use machipc::Reply;


#[machipc::endpoint("com/example", clients = Kv)]
enum Kv<'a> {
    #[mach(id = 70)]
    Put(&'a mut str),
    #[mach(id = "seven")]
    Get { reply: Reply<u32>, key: &'a str },
    Connect,
}

fn main() {}
