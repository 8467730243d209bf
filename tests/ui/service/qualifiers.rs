#[machipc::endpoint("com.example.kv")]
trait Kv {
    unsafe fn get(&self);
    extern "C" fn put(&self);
    const fn add(&self);
}

fn main() {}
