use machipc::MachMessage;


use machipc::message::{Decode, Decoder};

#[derive(MachMessage)]
struct Name<'a> {
    name: &'a str,
}

fn main() {
    let name = {
        let bytes = vec![1, 0, 0, 0, b'a'];
        Name::decode(&mut Decoder::new(&bytes, None)).unwrap()
    };
    assert_eq!(name.name, "a");
}
