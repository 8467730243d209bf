use machipc::Reply;


#[machipc::endpoint("com.example.kv")]
enum Kv {
    Get { reply: Reply<Vec<u8>>, key: String },
    Ask(Reply<bool>, u32),
}

fn main() {}
