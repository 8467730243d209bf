use machipc::MachMessage;


#[derive(MachMessage)]
struct Load {
    #[mach(ool)]
    names: Vec<String>,
}

fn main() {}
