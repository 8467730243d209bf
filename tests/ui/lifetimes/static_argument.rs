use machipc::MachMessage;

#[derive(MachMessage)]
struct Name<'a> {
    name: &'a str,
}

#[derive(MachMessage)]
struct Person {
    name: Name<'static>,
}

fn main() {}
