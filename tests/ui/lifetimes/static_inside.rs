use machipc::MachMessage;


use std::borrow::Cow;

#[derive(MachMessage)]
struct Names {
    names: Vec<Cow<'static, str>>,
}

fn main() {}
