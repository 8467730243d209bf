use machipc::MachMessage;

#[derive(MachMessage)]
struct Entry<'key, 'value: 'key> {
    key: &'key str,
    value: &'value [u8],
}

#[machipc::endpoint("com.example.kv")]
enum Kv<'key, 'value> {
    Put(Entry<'key, 'value>),
    Touch(&'key str),
}

fn put(kv: &KvClient, key: &str) -> Result<(), machipc::Error> {
    let value = vec![1, 2, 3];
    kv.touch(key)?;
    kv.put(Entry { key, value: &value })
}

fn main() {
    let _ = put;
}
