use machipc::*;
use std::sync::Arc;
use std::sync::atomic::*;
use std::time::Instant;
fn main() {
    registry::set_lookup_enabled(false);
    let seen = Arc::new(AtomicU64::new(0));
    let s2 = seen.clone();
    let host = Host::<(u64, &str)>::builder()
        .unnamed()
        .bind(move |(n, t): (u64, &str), _: &Context| {
            s2.store(s2.load(Ordering::Relaxed) + n + t.len() as u64, Ordering::Relaxed);
        })
        .unwrap();
    let d = host.client();
    let p = Client::<(u64, &str)>::from_right(host.send_right().unwrap());
    for (name, c, n) in [("direct", &d, 5_000_000u64), ("port", &p, 300_000)] {
        for _ in 0..2 {
            let t = Instant::now();
            for _ in 0..n {
                c.send((1, "abc")).unwrap();
            }
            println!("{name}: {:.1} ns a one-way", t.elapsed().as_nanos() as f64 / n as f64);
        }
    }
    let host = Host::<(u64, Reply<u64>)>::builder()
        .unnamed()
        .bind(move |(n, r): (u64, Reply<u64>), _: &Context| {
            let _ = r.send(n + 1);
        })
        .unwrap();
    let d = host.client();
    let p = Client::<(u64, Reply<u64>)>::from_right(host.send_right().unwrap());
    for (name, c, n) in [("direct", &d, 1_000_000u64), ("port", &p, 100_000)] {
        for _ in 0..2 {
            let t = Instant::now();
            for i in 0..n {
                assert_eq!(c.call(|reply| (i, reply)).unwrap(), i + 1);
            }
            println!("{name}: {:.1} ns a call", t.elapsed().as_nanos() as f64 / n as f64);
        }
    }
}
