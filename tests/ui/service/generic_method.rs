#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get<K: AsRef<str>>(&self, key: K) -> u32;
    fn find<const N: usize>(&self, key: [u8; N]);
    fn put<T>(&self, value: T)
    where
        T: Clone;
}

fn main() {}
