struct Secret;

#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self) -> Secret;
    fn put(&self, secret: Secret);
}

fn main() {}
