use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(plain)]
struct Put {
    #[mach(rename = "k")]
    key: String,
}

#[derive(MachMessage)]
enum Shape {
    #[mach(tag = 7)]
    Point,
}

fn main() {}
