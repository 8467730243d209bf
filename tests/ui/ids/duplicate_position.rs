use machipc::MachMessage;


#[derive(MachMessage)]
enum Shape {
    #[mach(id = 1)]
    Point,
    Circle(f64),
}

fn main() {}
