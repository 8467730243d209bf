use machipc::MachMessage;


use std::collections::BTreeMap;

#[derive(MachMessage)]
struct Load {
    #[mach(ool)]
    number: u32,
    #[mach(ool)]
    names: BTreeMap<String, u32>,
}

fn main() {}
