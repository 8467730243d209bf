use machipc::MachMessage;


#[derive(MachMessage)]
struct Tagged<T> {
    value: T,
}

struct Secret;

fn is_message<M: MachMessage>() {}

fn main() {
    is_message::<Tagged<Secret>>();
}
