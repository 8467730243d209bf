use machipc::MachMessage;


#[derive(MachMessage)]
struct Job {
    name: String,
    thread: std::thread::ThreadId,
}

fn main() {}
