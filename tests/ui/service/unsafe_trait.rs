#[machipc::endpoint("com.example.kv")]
unsafe trait Kv {
    fn get(&self) -> u32;
}

fn main() {}
