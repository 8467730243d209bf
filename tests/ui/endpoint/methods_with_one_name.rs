#[machipc::endpoint("com.example.kv")]
enum Kv {
    HttpGet(String),
    HTTPGet(String),
    #[mach(method = http_get)]
    Fetch(String),
}

fn main() {}
