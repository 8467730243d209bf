#[machipc::pod]
struct Entry {
    len: usize,
}

fn main() {}
