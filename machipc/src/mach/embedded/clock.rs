//! The machine's clock, as every process sees it.

use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};

const SECOND: i64 = 1_000_000_000;

/// `CLOCK_MONOTONIC` in nanoseconds, as it is outside of time namespaces.
pub(in crate::mach) fn machine_time() -> u64 {
    static SHIFT: OnceLock<i64> = OnceLock::new();
    let shift = SHIFT.get_or_init(|| {
        // Kernels without time namespaces have no such file. It tells of the namespace of this process's children, which is its own
        // unless it is about to part from them.
        std::fs::read_to_string("/proc/self/timens_offsets").ok().and_then(|text| shift(&text)).unwrap_or(0)
    });
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec * SECOND + now.tv_nsec).wrapping_sub(*shift) as u64
}

/// What a time namespace adds to the clock: `monotonic`, seconds and nanoseconds, on a line of its own.
fn shift(text: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix("monotonic"))?;
    let mut numbers = line.split_whitespace().map(str::parse::<i64>);
    let (seconds, nanoseconds) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    seconds.checked_mul(SECOND)?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::shift;

    #[test]
    fn the_shift_of_a_namespace_is_read() {
        assert_eq!(shift("monotonic           0         0\nboottime            7         0\n"), Some(0));
        assert_eq!(shift("monotonic       86400         5\nboottime 0 0\n"), Some(86_400_000_000_005));
        assert_eq!(shift("monotonic          -2 500000000\n"), Some(-1_500_000_000));
        for text in [
            "",
            "boottime 1 2",
            "monotonic",
            "monotonic 1",
            "monotonic x y",
            "monotonic 9223372036854775807 0",
        ] {
            assert_eq!(shift(text), None, "{text:?}");
        }
    }
}
