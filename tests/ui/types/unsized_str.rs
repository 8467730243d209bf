use machipc::MachMessage;


#[derive(MachMessage)]
struct Name(str);

fn main() {}
