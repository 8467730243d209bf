use machipc::message::Pod;

fn copies<T: Pod>() {}

fn main() {
    copies::<[u8; 4]>();
    copies::<String>();
}
