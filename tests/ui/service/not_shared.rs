use std::cell::Cell;

#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn count(&self) -> u32;
}

struct Store(Cell<u32>);

impl Kv for Store {
    fn count(&self) -> u32 {
        self.0.replace(self.0.get() + 1)
    }
}

fn main() {
    let _ = KvServer::new(Store(Cell::new(0)));
}
