use machipc::MachMessage;


#[derive(MachMessage)]
enum Request {
    Get(String, machipc::Reply<Vec<u8>>),
}

fn main() {}
