//! Hosts and clients of plain types in one process, on the short cut and through the port.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use machipc::{Client, Context, Error, Host, SendRight};

const WATCHDOG: Duration = Duration::from_secs(30);

fn strings(tag: &str) -> (Host<String>, Receiver<(String, bool, u32)>) {
    let name = format!("com.example.test.plain.{tag}.{}", std::process::id());
    let (sink, received) = mpsc::channel();
    let host = Host::<String>::builder()
        .name(name)
        .bind(move |text: String, cx: &Context| sink.send((text, cx.is_local(), cx.peer().pid())).unwrap())
        .unwrap();
    (host, received)
}

#[test]
fn strings_under_a_run_time_name() {
    let (host, received) = strings("strings");
    let direct = Client::<String>::connect_to(host.name()).unwrap();
    assert!(direct.is_local());
    let right = host.send_right().unwrap();
    direct.send("direct".to_owned()).unwrap();
    assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), ("direct".to_owned(), true, std::process::id()));
    drop(right);
}
