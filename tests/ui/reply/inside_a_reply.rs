use machipc::Reply;


#[machipc::endpoint("com.example.kv")]
enum Kv {
    Get { key: String, reply: Reply<Option<Reply<u32>>> },
}

fn main() {}
