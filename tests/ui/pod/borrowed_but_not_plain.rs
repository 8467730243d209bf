use machipc::MachMessage;


#[derive(MachMessage)]
struct Point {
    x: u32,
    y: u32,
}

#[derive(MachMessage)]
struct Line<'a> {
    points: &'a [Point],
}

fn main() {}
