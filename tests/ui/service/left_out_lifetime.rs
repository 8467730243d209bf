use machipc::MachMessage;

#[derive(MachMessage)]
struct Put<'a> {
    key: &'a str,
}

#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn put(&self, put: Put);
}

fn main() {}
