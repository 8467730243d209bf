use machipc::MachMessage;


#[derive(MachMessage)]
struct Name<'a> {
    name: &'a String,
}

fn main() {}
