use machipc::Reply;

#[machipc::endpoint("com.example.kv")]
enum Kv<'a> {
    Put { key: &'a str, value: u32 },
    Get { key: &'a str, reply: Reply<Option<u32>> },
}


fn main() -> Result<(), machipc::Error> {
    let kv = machipc::Client::<Kv>::connect()?;
    kv.send("a")?;
    Ok(())
}
