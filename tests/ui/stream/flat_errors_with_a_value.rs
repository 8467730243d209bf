#[machipc::endpoint("com.example.feed", flat_errors = true)]
enum Feed {
    Clear,
}

#[derive(machipc::MachMessage)]
#[mach(flat_errors)]
struct Event;

fn main() {}
