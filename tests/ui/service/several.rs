use machipc::Context;

// All of it is told at once, and the uses of what is right are no mistakes.

#[machipc::endpoint("com/example", clients = Kv)]
trait Kv {
    const SIZE: usize;
    #[oneway]
    fn put(&mut self, key: &'static str) -> u32;
    #[mach(id = 70)]
    fn get<T>(&self, (key, index): (u32, u32), value: *const u8) -> Option<&str>;
    fn count(&self, cx: &Context) -> u64;
}

fn main() -> Result<(), machipc::Error> {
    let kv = KvClient::connect()?;
    let _: u64 = kv.count()?;
    Ok(())
}
