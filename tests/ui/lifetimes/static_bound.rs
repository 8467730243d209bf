use machipc::MachMessage;


#[derive(MachMessage)]
struct Name<'a: 'static> {
    name: &'a str,
}

fn main() {}
