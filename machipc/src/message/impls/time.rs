//! Time: whole seconds, then nanoseconds below a second.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use super::owned_message;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Schema};

const NANOS_PER_SEC: u32 = 1_000_000_000;

impl Encode for Duration {
    const MIN_SIZE: usize = 12;

    fn schema(schema: &mut Schema) {
        schema.push("duration");
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.pod(&self.as_secs());
        out.pod(&self.subsec_nanos());
        Ok(())
    }
}

impl<'de> Decode<'de> for Duration {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        Ok(Self::new(input.pod()?, nanos(input)?))
    }
}

/// Seconds since 1970, rounded down, so that the nanoseconds always count forward.
impl Encode for SystemTime {
    const MIN_SIZE: usize = 12;

    fn schema(schema: &mut Schema) {
        schema.push("systemtime");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        let (seconds, nanos) = match self.duration_since(UNIX_EPOCH) {
            Ok(after) => (i128::from(after.as_secs()), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                match before.subsec_nanos() {
                    0 => (-i128::from(before.as_secs()), 0),
                    nanos => (-i128::from(before.as_secs()) - 1, NANOS_PER_SEC - nanos),
                }
            }
        };
        let Ok(seconds) = i64::try_from(seconds) else {
            return Err(EncodeError::new(format!("a time {seconds} seconds from 1970 does not fit 64 bits")));
        };
        out.pod(&seconds);
        out.pod(&nanos);
        Ok(())
    }
}

impl<'de> Decode<'de> for SystemTime {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let seconds: i64 = input.pod()?;
        let nanos = nanos(input)?;
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
        time.and_then(|time| time.checked_add(Duration::new(0, nanos))).ok_or_else(|| {
            DecodeError::new(format!("a time {seconds} seconds from 1970 is none on this system"))
        })
    }
}

fn nanos(input: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    match input.pod::<u32>()? {
        nanos if nanos < NANOS_PER_SEC => Ok(nanos),
        nanos => Err(DecodeError::new(format!("{nanos} nanoseconds are not below a second"))),
    }
}

owned_message!(Duration, SystemTime);
