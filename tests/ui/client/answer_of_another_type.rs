use machipc::Reply;

#[machipc::endpoint("com.example.kv")]
enum Kv<'a> {
    Put { key: &'a str, value: u32 },
    Get { key: &'a str, reply: Reply<Option<u32>> },
}


fn main() {
    let _host = machipc::Host::<Kv>::bind(|message: Kv<'_>, _: &machipc::Context| match message {
        Kv::Put { .. } => {}
        Kv::Get { reply, .. } => {
            let _ = reply.send(7u32);
        }
    });
}
