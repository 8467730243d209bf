#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get(&self, key: &str) -> Option<u32>;
}

fn main() -> Result<(), machipc::Error> {
    let kv = KvClient::connect()?;
    let _: Option<u32> = kv.get(7)?;
    Ok(())
}
