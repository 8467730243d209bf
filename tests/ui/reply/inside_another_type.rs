use machipc::Reply;


#[machipc::endpoint("com.example.kv")]
enum Kv {
    Get { key: String, reply: Option<Reply<Vec<u8>>> },
    All(Vec<(String, Reply<u32>)>),
}

fn main() {}
