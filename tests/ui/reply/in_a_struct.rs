use machipc::MachMessage;


use machipc::Reply;

#[derive(MachMessage)]
struct Get {
    key: String,
    reply: Reply<Vec<u8>>,
}

fn main() {}
