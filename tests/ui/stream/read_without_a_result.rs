fn main() -> Result<(), machipc::Error> {
    let (_sink, source) = machipc::stream::<u32>()?;
    let _: Vec<u32> = source.collect();
    Ok(())
}
