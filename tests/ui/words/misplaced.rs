use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(ool)]
struct Put {
    #[mach(id = 7)]
    key: String,
    #[mach(pod)]
    value: Vec<u8>,
}

#[derive(MachMessage)]
enum Shape {
    #[mach(crate = "machipc")]
    Point,
    #[mach(method = round)]
    Circle(f64),
}

fn main() {}
