use machipc::MachMessage;


#[derive(MachMessage)]
enum Never {}

fn main() {}
