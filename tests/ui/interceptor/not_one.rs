//! What is no interceptor.

use machipc::{Context, Host};

fn main() {
    let _ = Host::<String>::builder().intercept(|_: &str| true).bind(|_: String, _: &Context| {});
}
