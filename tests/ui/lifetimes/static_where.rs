use machipc::MachMessage;


#[derive(MachMessage)]
struct Name<'a, 'b>
where
    'b: 'a + 'static,
{
    first: &'a str,
    last: &'b str,
}

fn main() {}
