//! A store of values without a blocked thread, in two processes: `cargo run --release --features tokio --example async_kv`
//!
//! It starts itself a second time as the host, whose handler is an `async fn`, and calls it a few thousand times at once from one
//! thread. Without the feature a thread of machipc's wakes the futures; with it tokio's runtime does. Everything that comes back is
//! checked.

use std::collections::HashMap;
use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use machipc::{AsyncHandler, Context, Host, Reply};

/// What the host can be asked to do.
#[machipc::endpoint("com.example.async-kv")]
enum Kv<'a> {
    /// Is answered, so that whoever puts a value knows that it is there: tasks do not wait for one another.
    Put {
        key: &'a str,
        value: &'a [u8],
        reply: Reply<()>,
    },
    Get {
        key: &'a str,
        reply: Reply<Option<Vec<u8>>>,
    },
    /// Answers once the key has a value.
    WaitFor {
        key: &'a str,
        reply: Reply<Vec<u8>>,
    },
    /// How many of those who waited have given up.
    GaveUp {
        reply: Reply<u64>,
    },
    Stop,
}

#[derive(Default)]
struct Store {
    values: Mutex<HashMap<String, Vec<u8>>>,
    changed: tokio::sync::Notify,
    gave_up: AtomicU64,
}

impl Store {
    async fn wait_for(&self, key: &str) -> Vec<u8> {
        loop {
            let changed = self.changed.notified();
            if let Some(value) = self.values.lock().unwrap().get(key) {
                return value.clone();
            }
            changed.await;
        }
    }
}

/// A task for each message. The message borrows from the memory it came in for as long as the task lives.
impl AsyncHandler<Kv<'static>> for Store {
    async fn handle(&self, message: Kv<'_>, cx: &Context) {
        match message {
            Kv::Put { key, value, reply } => {
                self.values.lock().unwrap().insert(key.to_owned(), value.to_owned());
                self.changed.notify_waiters();
                let _ = reply.send(());
            }
            Kv::Get { key, reply } => {
                let value = self.values.lock().unwrap().get(key).cloned();
                let _ = reply.send(value);
            }
            Kv::WaitFor { key, mut reply } => {
                let value = tokio::select! {
                    value = self.wait_for(key) => value,
                    () = reply.cancelled() => {
                        self.gave_up.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                };
                let _ = reply.send(value);
            }
            Kv::GaveUp { reply } => {
                let _ = reply.send(self.gave_up.load(Ordering::Relaxed));
            }
            Kv::Stop => cx.stop(),
        }
    }
}

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const CALLS: u64 = 5_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// The host process.
pub fn serve(name: &str) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tasks = runtime.handle().clone();
    // With the feature and inside the runtime this is `serve_async(Store::default())`.
    let spawn = move |task| drop(tasks.spawn(task));
    let host = Host::<Kv>::builder().name(name).serve_async_on(spawn, Store::default())?;
    host.wait();
    Ok(())
}

/// The client process, with one thread.
pub fn call(name: &str) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let kv = machipc::AsyncClient::connect_to_timeout(name, PATIENCE).await?;
        let kv = KvAsyncClient::from_client(kv);

        kv.put("greeting", b"hello").await?;
        check("a value", &kv.get("greeting").await?, &Some(b"hello".to_vec()))?;
        check("no value", &kv.get("nothing").await?, &None)?;

        let start = Instant::now();
        let mut calls = Vec::new();
        for number in 0..CALLS {
            let kv = kv.clone();
            calls.push(tokio::spawn(async move {
                let key = format!("key {number}");
                kv.put(&key, &number.to_le_bytes()).await?;
                kv.get(&key).await
            }));
        }
        for (number, call) in (0..CALLS).zip(calls) {
            check("a value", &call.await??, &Some(number.to_le_bytes().to_vec()))?;
        }
        println!("{CALLS} pairs of put and get, all at once on one thread: {:.0?}", start.elapsed());

        // Two calls are under way: one is answered when the other is made.
        let waiting = kv.wait_for("late");
        let putting = async {
            tokio::task::yield_now().await;
            kv.put("late", b"at last").await
        };
        let (value, put) = tokio::join!(waiting, putting);
        put?;
        check("the late value", &value?, &b"at last".to_vec())?;
        println!("a call waited in the host until another one gave it what it waited for");

        // A future that loses a race is dropped, and the host's task sees it; so does one whose deadline passes.
        tokio::select! {
            value = kv.wait_for("never") => return Err(format!("a value that nobody put: {value:?}").into()),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        let hurried = kv.with_deadline(Duration::from_millis(20));
        match hurried.wait_for("never").await {
            Err(machipc::Error::DeadlineExceeded { .. }) => {}
            other => return Err(format!("not too late: {other:?}").into()),
        }
        let patience = Instant::now() + PATIENCE;
        while kv.gave_up().await? < 2 {
            if Instant::now() > patience {
                return Err("the host does not see who has given up".into());
            }
            tokio::task::yield_now().await;
        }
        println!("the host saw both calls that were given up");
        kv.stop().await?;
        Ok(())
    })
}

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--host"), Some(name)) => serve(&name),
        (None, None) => {
            let name = format!("com.example.async-kv.{}", std::process::id());
            let mut command = Command::new(std::env::current_exe()?);
            let mut host = Started(command.args(["--host", &name]).stdin(Stdio::null()).spawn()?);
            call(&name)?;
            match host.0.wait()? {
                status if status.success() => Ok(()),
                status => Err(format!("the host ended badly: {status}").into()),
            }
        }
        _ => Err("run it without arguments".into()),
    }
}

/// A process that ends with this value at the latest.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn check<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}").into()) }
}
