use machipc::MachMessage;


struct Secret;

#[derive(MachMessage)]
enum Vault {
    Empty,
    Full(Vec<Secret>, Option<Secret>),
}

fn main() {}
