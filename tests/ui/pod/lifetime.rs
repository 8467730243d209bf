use machipc::MachMessage;


#[derive(MachMessage)]
#[mach(pod)]
#[repr(transparent)]
struct Name<'a> {
    name: std::marker::PhantomData<&'a ()>,
}

fn main() {}
