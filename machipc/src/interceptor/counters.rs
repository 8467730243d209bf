//! How many messages there were, and how long they took.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
/// Counting takes a lock for a moment. A peer that invents ids is counted under one name, `(unknown)`.
#[derive(Debug, Default)]
pub struct Counters {
    by_name: Mutex<HashMap<&'static str, MessageCount>>,
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
    pub fn read(&self) -> Vec<(&'static str, MessageCount)> {
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = by_name.iter().map(|(name, count)| (*name, count.clone())).collect();
        counts.sort_unstable_by_key(|(name, _)| *name);
        counts
    }
}

impl Interceptor for Counters {
    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, took: Duration) {
        let name = match message.name() {
            Some(name) => name,
            None if message.id() == crate::message::PLAIN_ID => PLAIN,
            None => UNKNOWN,
        };
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.entry(name).or_default().count(outcome.is_done(), took);
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

    fn count(&mut self, done: bool, took: Duration) {
        *(if done { &mut self.done } else { &mut self.failed }) += 1;
        let bits = u128::BITS - took.as_micros().leading_zeros();
        self.took[(bits as usize).min(Self::TIMES - 1)] += 1;
    }
}

impl Default for MessageCount {
    fn default() -> Self {
        Self { done: 0, failed: 0, took: [0; Self::TIMES] }
    }
}

#[cfg(test)]
mod tests {
    use super::MessageCount;
    use std::time::Duration;

    #[test]
    fn times_are_powers_of_two() {
        let mut count = MessageCount::default();
        assert_eq!(count.quantile(0.5), None);
        for micros in [0, 1, 3, 1000] {
            count.count(true, Duration::from_micros(micros));
        }
        count.count(false, Duration::MAX);
        assert_eq!((count.done, count.failed), (4, 1));
        assert_eq!(count.quantile(0.0), Some(Duration::from_micros(1)));
        assert_eq!(count.quantile(0.4), Some(Duration::from_micros(2)));
        assert_eq!(count.quantile(0.6), Some(Duration::from_micros(4)));
        assert_eq!(count.quantile(0.8), Some(Duration::from_micros(1024)));
        assert_eq!(count.quantile(1.0), None);
    }
}
