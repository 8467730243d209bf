use machipc::Reply;

#[machipc::endpoint("com.example.kv")]
enum Kv<'a> {
    Put { key: &'a str, value: u32 },
    Get { key: &'a str, reply: Reply<Option<u32>> },
}


fn main() {
    let _host = machipc::Host::<Kv>::bind(|message: Kv<'_>, _: &machipc::Context| {
        if let Kv::Get { reply, .. } = message {
            let _ = reply.send(None);
            let _ = reply.send(Some(1));
        }
    });
}
