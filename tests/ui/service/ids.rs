#[machipc::endpoint("com.example.kv")]
trait Kv {
    #[mach(id = 64)]
    fn get(&self);
    #[mach(id = 7)]
    fn put(&self);
    #[mach(id = 7)]
    fn add(&self);
}

fn main() {}
