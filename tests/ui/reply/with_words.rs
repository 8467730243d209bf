use machipc::Reply;


#[machipc::endpoint("com.example.kv")]
enum Kv {
    Get {
        key: String,
        #[mach(since = 2)]
        reply: Reply<u32>,
    },
}

fn main() {}
