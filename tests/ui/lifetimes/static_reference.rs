use machipc::MachMessage;


#[derive(MachMessage)]
struct Name {
    name: &'static str,
}

fn main() {}
