#[machipc::endpoint("com.example.kv", service = Kv, message = "a b", server = Kv, server = Kv)]
#[mach(crate = "machipc")]
trait Kv {
    fn get(&self) -> u32;
}

#[machipc::endpoint("com.example.kv", server = KvHost)]
enum Store {
    Clear,
}

fn main() {}
