use machipc::Reply;


#[machipc::endpoint("com.example.kv")]
enum Kv {
    Get { key: String, value: Reply<Vec<u8>>, age: Reply<u64> },
}

fn main() {}
