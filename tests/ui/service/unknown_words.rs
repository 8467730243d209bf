#[machipc::endpoint("com.example.kv")]
trait Kv {
    #[mach(fast)]
    fn get(&self, #[mach(inline)] key: &str);
    #[mach(ool)]
    fn put(&self, #[mach(id = 3)] key: &str);
    #[mach(method = other, pod)]
    fn add(&self);
}

fn main() {}
