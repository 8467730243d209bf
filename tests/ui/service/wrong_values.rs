#[machipc::endpoint("com.example.kv")]
trait Kv {
    #[mach(id = "seven", since = 0)]
    fn get(&self, #[mach(ool = 1)] key: &str);
    #[mach(variant = 7)]
    fn put(&self);
}

fn main() {}
