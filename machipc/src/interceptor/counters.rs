//! How many messages there were, and how long they took.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::{Interceptor, MessageInfo, Outcome};

/// An [`Interceptor`] that counts messages by their variants, with what came of them and how long it took. Share it to read it:
///
/// ```no_run
/// use machipc::{Context, Counters, Host};
/// use std::sync::Arc;
///
/// let counters = Arc::new(Counters::default());
/// let host = Host::<String>::builder().name("com.example.echo").intercept(counters.clone()).bind(|_: String, _: &Context| {})?;
/// for (name, count) in counters.read() {
///     println!("{name}: {} done, {} not, half of them in {:?}", count.done, count.failed, count.quantile(0.5));
/// }
/// # Ok::<(), machipc::Error>(())
/// ```
///
/// Counting takes no lock, and threads count apart, so that none waits for another. A peer that invents ids is counted under one name,
/// `(unknown)`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Replaced by a larger one with the first message of each name: there are as many as the endpoints have variants.
    kinds: ArcSwap<Vec<Kind>>,
}

/// Messages of one name.
#[derive(Debug, Clone)]
struct Kind {
    name: &'static str,
    parts: Arc<[Part; PARTS]>,
}

/// What some of the threads have counted, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
    done: AtomicU64,
    failed: AtomicU64,
    took: [AtomicU64; MessageCount::TIMES],
}

/// Up to so many threads at once count without touching what another one writes.
const PARTS: usize = 8;

thread_local! {
    /// Which part is this thread's: they take turns.
    static OWN_PART: Cell<usize> = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        Cell::new(THREADS.fetch_add(1, Ordering::Relaxed) % PARTS)
    };
}

/// What [`Counters`] have counted of one kind of message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageCount {
    /// Messages that were handled, sent or answered.
    pub done: u64,
    /// All others: refused, failed, cancelled, or the handler panicked.
    pub failed: u64,
    /// How many of both took how long: the first took less than a microsecond, each further one less than twice as long as the one
    /// before, and the last any time.
    pub took: [u64; MessageCount::TIMES],
}

/// The name of messages that have none: plain ones.
const PLAIN: &str = "(message)";
const UNKNOWN: &str = "(unknown)";

impl Counters {
    /// What was counted so far, by the variants' names, in the order of the alphabet. Messages of a type without variants are `(message)`.
    /// A message that is counted meanwhile may be in one number and not yet in another.
    pub fn read(&self) -> Vec<(&'static str, MessageCount)> {
        let kinds = self.kinds.load();
        let mut counts: Vec<_> = kinds.iter().map(|kind| (kind.name, kind.read())).collect();
        counts.sort_unstable_by_key(|(name, _)| *name);
        counts
    }

    fn count(&self, name: &'static str, done: bool, took: Duration) {
        loop {
            if let Some(kind) = self.kinds.load().iter().find(|kind| kind.name == name) {
                // A thread that ends may still send.
                let own = OWN_PART.try_with(Cell::get).unwrap_or_default();
                return kind.parts[own].count(done, took);
            }
            self.add(name);
        }
    }

    /// The first message of a name.
    #[cold]
    fn add(&self, name: &'static str) {
        let parts = Arc::<[Part; PARTS]>::default();
        self.kinds.rcu(|kinds| {
            let mut kinds = Vec::clone(kinds);
            // Another thread may have been faster.
            if !kinds.iter().any(|kind| kind.name == name) {
                kinds.push(Kind { name, parts: parts.clone() });
            }
            kinds
        });
    }
}

impl Interceptor for Counters {
    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, took: Duration) {
        let name = match message.name() {
            Some(name) => name,
            None if message.id() == crate::message::PLAIN_ID => PLAIN,
            None => UNKNOWN,
        };
        self.count(name, outcome.is_done(), took);
    }
}

impl Kind {
    fn read(&self) -> MessageCount {
        let mut sum = MessageCount::default();
        for part in &*self.parts {
            sum.done += part.done.load(Ordering::Relaxed);
            sum.failed += part.failed.load(Ordering::Relaxed);
            for (sum, took) in sum.took.iter_mut().zip(&part.took) {
                *sum += took.load(Ordering::Relaxed);
            }
        }
        sum
    }
}

impl Part {
    fn count(&self, done: bool, took: Duration) {
        let bits = u128::BITS - took.as_micros().leading_zeros();
        let time = &self.took[(bits as usize).min(MessageCount::TIMES - 1)];
        let end = if done { &self.done } else { &self.failed };
        time.fetch_add(1, Ordering::Relaxed);
        end.fetch_add(1, Ordering::Relaxed);
    }
}

impl MessageCount {
    /// How many times there are in [`took`](Self::took): the last but one ends at 67 seconds.
    pub const TIMES: usize = 28;

    /// In less than what time this part of the messages was over, 0 to 1, to the next power of two microseconds; `None` without messages,
    /// and where it is more than the counters tell apart.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let all: u64 = self.took.iter().sum();
        let wanted = ((all as f64 * part.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut counted = 0;
        let index = self.took.iter().position(|count| {
            counted += count;
            counted >= wanted
        })?;
        (index + 1 < Self::TIMES).then(|| Duration::from_micros(1 << index))
    }
}

impl Default for MessageCount {
    fn default() -> Self {
        Self { done: 0, failed: 0, took: [0; Self::TIMES] }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, Kind, MessageCount};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn times_are_powers_of_two() {
        assert_eq!(MessageCount::default().quantile(0.5), None);
        let kind = Kind { name: "Name", parts: Default::default() };
        for (part, micros) in [(0, 0), (1, 1), (0, 3), (7, 1000)] {
            kind.parts[part].count(true, Duration::from_micros(micros));
        }
        kind.parts[3].count(false, Duration::MAX);
        let count = kind.read();
        assert_eq!((count.done, count.failed), (4, 1));
        assert_eq!(count.quantile(0.0), Some(Duration::from_micros(1)));
        assert_eq!(count.quantile(0.4), Some(Duration::from_micros(2)));
        assert_eq!(count.quantile(0.6), Some(Duration::from_micros(4)));
        assert_eq!(count.quantile(0.8), Some(Duration::from_micros(1024)));
        assert_eq!(count.quantile(1.0), None);
    }

    #[test]
    fn threads_that_meet_a_name_for_the_first_time_make_one_kind() {
        const NAMES: [&str; 5] = ["A", "B", "C", "D", "E"];
        let counters = Counters::default();
        thread::scope(|scope| {
            for first in 0..20 {
                let counters = &counters;
                scope.spawn(move || {
                    for index in 0..1000 {
                        counters.count(NAMES[(first + index) % NAMES.len()], true, Duration::ZERO);
                    }
                });
            }
        });
        let counts: Vec<_> =
            counters.read().into_iter().map(|(name, count)| (name, count.done, count.took[0])).collect();
        assert_eq!(counts, NAMES.map(|name| (name, 4000, 4000)));
    }
}
