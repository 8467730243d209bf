//! Expectations. A rule that finds something else returns what it expected and what it got.

use machipc::mach::{kern_return_t, mach_error_string};

/// Why a rule ended early.
pub enum Stop {
    /// It does not hold: what was expected, and what came.
    Fail(String),
    /// It cannot be tried here, and why.
    Skip(String),
}

/// What every step of a rule gives.
pub type Outcome<T = ()> = Result<T, Stop>;

/// Whether the kernel below is Darwin's, which may give the older answers that the table lists.
pub fn darwin() -> bool {
    cfg!(target_vendor = "apple")
}

/// Whether `got` is the rule's answer, or on Darwin one of the older ones.
pub fn accepts<T: PartialEq>(got: &T, want: &T, older: &[T]) -> bool {
    got == want || (darwin() && older.contains(got))
}

/// A return code with its words.
pub fn code_text(code: kern_return_t) -> String {
    if (0..0x1_0000).contains(&code) {
        format!("{code} ({})", mach_error_string(code))
    } else {
        format!("{code:#x} ({})", mach_error_string(code))
    }
}

/// Ends the rule: `fail!("expected …, got …")`.
macro_rules! fail {
    ($($text:tt)*) => {
        return Err($crate::suite::kit::Stop::Fail(format!(
            "{} [{}:{}]", format_args!($($text)*), file!().rsplit(['/', '\\']).next().unwrap_or_default(), line!()
        )))
    };
}

/// Compares two values: `expect_eq!("what", got, want)`.
macro_rules! expect_eq {
    ($what:expr, $got:expr, $want:expr $(,)?) => {{
        let (got, want) = ($got, $want);
        if got != want {
            fail!("expected {} {want:#x?}, got {got:#x?}", $what);
        }
    }};
}

/// Compares a return code by value: `expect_code!(call, CODE)`, or `expect_code!(call, CODE, older CODE …)` where the
/// table marks other answers of older Darwin systems.
macro_rules! expect_code {
    ($call:expr, $want:expr $(,)?) => {{
        let (got, want) = ($call, $want);
        if got != want {
            fail!("expected {} = {}, got {}", stringify!($call), $crate::suite::kit::code_text(want),
                $crate::suite::kit::code_text(got));
        }
    }};
    ($call:expr, $want:expr, older $($older:expr),+ $(,)?) => {{
        let (got, want) = ($call, $want);
        if !$crate::suite::kit::accepts(&got, &want, &[$($older),+]) {
            fail!("expected {} = {}, got {}", stringify!($call), $crate::suite::kit::code_text(want),
                $crate::suite::kit::code_text(got));
        }
        got
    }};
}

/// Demands a condition: `expect!(condition, "expected …, got {}", …)`.
macro_rules! expect {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            fail!($($text)+);
        }
    };
}
