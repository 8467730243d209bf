use std::sync::Mutex;

use machipc::{Context, Host};

#[machipc::endpoint("com.example.names")]
enum Names<'a> {
    Add(&'a str),
}

fn main() {
    static KEPT: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let _host = Host::<Names>::bind(|message: Names<'_>, _: &Context| match message {
        Names::Add(name) => KEPT.lock().unwrap().push(name),
    });
}
