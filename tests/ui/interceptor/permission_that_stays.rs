//! A permission that cannot be asked on the host's threads.

use std::cell::Cell;

use machipc::{Context, Host, Permission};

fn main() {
    let asked = Cell::new(0);
    let permission = Permission::new(move |_| {
        asked.set(asked.get() + 1);
        Ok(())
    });
    let _ = Host::<String>::builder().intercept(permission).bind(|_: String, _: &Context| {});
}
