use machipc::MachMessage;


#[derive(MachMessage)]
enum Shape {
    Point,
    #[mach(since = 3)]
    Circle(f64),
    #[mach(since = 2)]
    Square(f64),
}

fn main() {}
