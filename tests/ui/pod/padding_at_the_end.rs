#[machipc::pod]
struct Entry {
    time: u64,
    kind: u8,
}

fn main() {}
