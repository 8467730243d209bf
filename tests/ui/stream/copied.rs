fn main() -> Result<(), machipc::Error> {
    let (sink, source) = machipc::stream::<u32>()?;
    let _ = (sink.clone(), source.clone());
    Ok(())
}
