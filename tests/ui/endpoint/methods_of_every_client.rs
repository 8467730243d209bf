#[machipc::endpoint("com.example.kv")]
enum Kv {
    Connect,
    Clone,
    #[mach(method = client)]
    Who,
}

fn main() {}
