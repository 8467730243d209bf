fn main() -> Result<(), machipc::Error> {
    let (sink, _source) = machipc::stream::<u32>()?;
    sink.fail(7)
}
