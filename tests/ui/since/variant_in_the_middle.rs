use machipc::MachMessage;


#[derive(MachMessage)]
enum Shape {
    Point,
    #[mach(since = 2)]
    Circle(f64),
    Square(f64),
}

fn main() {}
