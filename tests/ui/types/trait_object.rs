use machipc::MachMessage;


#[derive(MachMessage)]
enum Event {
    Failed(Box<dyn std::error::Error>),
}

fn main() {}
