use machipc::Reply;

#[machipc::endpoint("com.example.kv")]
enum Kv<'a> {
    Get { reply: Reply<u32>, key: &'a str },
    #[mach(id = 64)]
    Put { key: &'a str, value: fn() },
}

fn main() -> Result<(), machipc::Error> {
    let kv = KvClient::connect()?;
    let _: u32 = kv.get("a")?;
    Ok(())
}
