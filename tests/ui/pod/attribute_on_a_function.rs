#[machipc::pod]
fn sample() {}

fn main() {}
