mod inner {
    #[machipc::endpoint("com.example.kv")]
    enum Kv {
        Clear,
    }
}

fn main() {
    let _ = inner::KvClient::connect();
}
