#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, cx: machipc::Context) -> u32;
    fn put(&self, cx: &machipc::Context, again: &machipc::Context);
    fn add(&self, #[mach(ool)] cx: &machipc::Context);
}

fn main() {}
