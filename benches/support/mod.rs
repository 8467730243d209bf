//! A second process for the benches that need one: the program starts itself again.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use criterion::Criterion;

/// Tells the second process under which name it is to serve.
const NAME: &str = "MACHIPC_BENCH_SERVE";
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process of this program that serves. It ends with this value.
pub struct Server {
    child: Child,
    pub name: String,
}

impl Server {
    pub fn start() -> Self {
        let name = format!("com.example.bench.{}", std::process::id());
        let child = Command::new(std::env::current_exe().expect("this program"))
            .env(NAME, &name)
            .stdin(Stdio::piped())
            .spawn()
            .expect("a second process");
        Self { child, name }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The main function: `serve` in the second process, `benches` in the first.
pub fn run(serve: impl FnOnce(&str), benches: impl FnOnce(&mut Criterion)) {
    if let Ok(name) = std::env::var(NAME) {
        // The end of standard input is the end of the first process.
        std::thread::spawn(|| {
            let _ = std::io::stdin().read(&mut [0]);
            std::process::exit(0);
        });
        return serve(&name);
    }
    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
}
