//! Sleeping and waking under loom: a wake-up that is lost is a deadlock, which loom reports.

use loom::sync::atomic::AtomicU32;
use loom::sync::{Arc, Condvar, Mutex};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::wait::{Futex, Needs, Parker, Woken};

/// How often a thread may lose its turn where it could have gone on. Without a bound the tests take hours.
const PREEMPTIONS: usize = 3;

/// Runs a test in every interleaving with so few preemptions.
pub(super) fn explore(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.check(test);
}

/// A futex as the system has it: the word is looked at under a lock that whoever wakes takes too.
#[derive(Default)]
pub(super) struct Model {
    pub(super) word: AtomicU32,
    sleepers: Mutex<()>,
    woken: Condvar,
}

impl Futex for Model {
    fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.word.store(value, order);
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word.swap(value, order)
    }

    fn replace(&self, current: u32, new: u32, order: Ordering) -> bool {
        self.word.compare_exchange(current, new, order, Ordering::Acquire).is_ok()
    }

    fn wait(&self, value: u32, _: Option<Duration>) -> rustix::io::Result<()> {
        let sleepers = self.sleepers.lock().unwrap();
        if self.word.load(Ordering::Relaxed) != value {
            return Err(rustix::io::Errno::AGAIN);
        }
        drop(self.woken.wait(sleepers).unwrap());
        Ok(())
    }

    fn wake(&self) {
        let _sleepers = self.sleepers.lock().unwrap();
        self.woken.notify_one();
    }
}

fn spawn(parker: &Arc<Parker<Model>>, f: impl Fn(&Parker<Model>) + 'static) -> loom::thread::JoinHandle<()> {
    let parker = parker.clone();
    loom::thread::spawn(move || f(&parker))
}

fn wake(parker: &Parker<Model>) {
    assert_ne!(parker.notify(), Needs::Bell, "nobody polls");
}

#[test]
fn loom_a_sleeper_is_woken() {
    explore(|| {
        let parker = Arc::<Parker<Model>>::default();
        let other = spawn(&parker, wake);
        assert_eq!(parker.sleep(None), Woken::Notified);
        assert!(parker.is_notified());
        other.join().unwrap();
    });
}

/// What the waker wrote before is there after.
#[test]
fn loom_a_sleeper_sees_what_it_is_woken_for() {
    explore(|| {
        let parker = Arc::<Parker<Model>>::default();
        let outcome = Arc::new(AtomicU32::new(0));
        let written = outcome.clone();
        let other = spawn(&parker, move |parker| {
            written.store(7, Ordering::Relaxed);
            wake(parker);
        });
        parker.sleep(None);
        assert_eq!(outcome.load(Ordering::Relaxed), 7);
        other.join().unwrap();
    });
}

/// A promotion that comes together with the notification does not hide it, nor the other way round.
#[test]
fn loom_a_promotion_does_not_hide_a_notification() {
    explore(|| {
        let parker = Arc::<Parker<Model>>::default();
        let others = [
            spawn(&parker, wake),
            spawn(&parker, |parker| {
                let _ = parker.promote();
            }),
        ];
        loop {
            assert_eq!(parker.sleep(None), Woken::Notified);
            if !parker.take_promotion() {
                break;
            }
        }
        assert!(parker.is_notified());
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn loom_a_promotion_wakes() {
    explore(|| {
        let parker = Arc::<Parker<Model>>::default();
        let other = spawn(&parker, |parker| {
            let _ = parker.promote();
        });
        assert_eq!(parker.sleep(None), Woken::Notified);
        assert!(parker.take_promotion());
        other.join().unwrap();
    });
}

/// A wake-up that comes while the sleep is given up is told of, or is there for the next sleep.
#[test]
fn loom_a_sleep_that_is_given_up_loses_no_notification() {
    explore(|| {
        let parker = Arc::<Parker<Model>>::default();
        let over = Instant::now();
        let other = spawn(&parker, wake);
        if parker.sleep(Some(over)) == Woken::TimedOut {
            assert_eq!(parker.sleep(None), Woken::Notified);
        }
        assert!(parker.is_notified());
        other.join().unwrap();
    });
}

/// Who polls is woken by a bell, and only where it has announced the poll.
#[test]
fn loom_a_poller_hears_its_bell() {
    explore(|| {
        let parker = Arc::<Parker<Model>>::default();
        let bell = Arc::new((Mutex::new(false), Condvar::new()));
        let rung = bell.clone();
        let other = spawn(&parker, move |parker| {
            if parker.notify() == Needs::Bell {
                *rung.0.lock().unwrap() = true;
                rung.1.notify_one();
            }
        });
        if parker.prepare_poll() {
            let mut rung = bell.0.lock().unwrap();
            while !*rung {
                rung = bell.1.wait(rung).unwrap();
            }
            drop(rung);
            parker.finish_poll();
        }
        assert!(parker.is_notified());
        other.join().unwrap();
    });
}

/// A thread that was promoted leads, or whoever notifies it meanwhile sees that somebody else has to.
#[test]
fn loom_a_promotion_is_not_lost() {
    explore(|| {
        let parker = Arc::<Parker<Model>>::default();
        let (promoted, found) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (counts, sees) = (promoted.clone(), found.clone());
        let promoter = spawn(&parker, move |parker| {
            counts.store(parker.promote().into(), Ordering::Relaxed);
        });
        let notifier = spawn(&parker, move |parker| {
            sees.fetch_add((parker.notify() == Needs::Leader).into(), Ordering::Relaxed);
        });
        while parker.sleep(None) == Woken::Notified && parker.take_promotion() {
            found.fetch_add(1, Ordering::Relaxed);
        }
        promoter.join().unwrap();
        notifier.join().unwrap();
        assert_eq!(found.load(Ordering::Relaxed), promoted.load(Ordering::Relaxed));
    });
}
