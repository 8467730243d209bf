use machipc::Reply;


#[machipc::endpoint("com.example.kv")]
enum Kv<'a> {
    Get { key: &'a str, reply: Reply<&'a [u8]> },
    Name { reply: Reply<std::borrow::Cow<'static, str>> },
}

fn main() {}
