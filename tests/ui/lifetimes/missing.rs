use machipc::MachMessage;


#[derive(MachMessage)]
struct Name {
    name: &str,
}

fn main() {}
