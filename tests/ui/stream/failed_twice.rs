fn main() -> Result<(), machipc::Error> {
    let (sink, _source) = machipc::stream::<u32>()?;
    sink.fail("first".to_owned())?;
    sink.fail("second".to_owned())
}
