//! Answers as messages: the reply itself, or why there is none.

use crate::error::{Dialect, Error, Own};
use crate::message::{Decode, DecodeError, Encode, EncodeError, Schema};
use crate::port::{
    Deadline, MachError, MessageBuffer, Notification, Outgoing, Received, ReplyRight, SendRight,
};
use crate::scratch;

use super::{ReplyValue, ReplyView};

/// The id of a message that answers a call.
pub(crate) const REPLY_ID: i32 = 0x2000_0000;
/// The id of a message that says why a call is not answered.
pub(crate) const REFUSAL_ID: i32 = 0x2000_0001;
/// The id of a request that every host answers itself, with a [`Presence`]: whether both sides have the same definition shows on the way,
/// as with any message.
pub(crate) const COMPARE_ID: i32 = 0x2000_0002;

/// What a host that wants to know whether it has clients gives to those that connect: they keep it for as long as they may send.
pub(crate) type Presence = Option<SendRight<()>>;

/// What errors of an answer call whoever waits for it.
pub(super) const CALLER: &str = "the caller";

/// Why a call is not answered, as it travels.
pub(crate) struct Refusal {
    why: Why,
    /// The host's fingerprint, where that is what differs; the message's id, where that is unknown.
    fingerprint: u64,
    /// The host's words.
    text: String,
    /// The text of the host's schema, where that is what differs.
    schema: String,
}

/// Beside the id of a message that the host does not have.
const NO_SUCH_MESSAGE: u64 = 1 << 32;

/// A refusal's bytes.
type Wire<'a> = (u32, u64, &'a str, &'a str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Dropped,
    Foreign,
    Unsupported,
    Denied,
    Rejected,
    Stopping,
    Late,
}

impl Refusal {
    /// The reply was dropped unsent.
    pub(crate) fn dropped() -> Self {
        Self::new(Why::Dropped, String::new())
    }

    /// The deadline had passed before the request was looked at.
    pub(crate) fn late() -> Self {
        Self::new(Why::Late, String::new())
    }

    /// The message was not understood or not wanted.
    pub(crate) fn new(why: Why, text: String) -> Self {
        Self { why, fingerprint: 0, text, schema: String::new() }
    }

    /// The endpoint has no message with this id.
    pub(crate) fn no_such_message(id: i32, text: String) -> Self {
        Self { fingerprint: NO_SUCH_MESSAGE | u64::from(id as u32), ..Self::new(Why::Unsupported, text) }
    }

    /// The host was built from other types: its own are these.
    pub(crate) fn foreign(host: Dialect) -> Self {
        Self { why: Why::Foreign, fingerprint: host.fingerprint, text: host.name, schema: host.schema }
    }
}

/// Sends `value`, a `T` or a view of one, as the answer, once. Returns its size in bytes.
pub(crate) fn answer<T: ReplyValue, V: Encode>(right: ReplyRight, value: &V) -> Result<usize, Error> {
    scratch::with(|scratch| match encode::<T, V>(&mut scratch.send, value) {
        Ok(outgoing) => {
            let size = outgoing.size();
            send(outgoing, &right).map(|()| size)
        }
        Err(source) => Err(unencodable(right, source)),
    })
}

/// Encodes `value`, a `T` or a view of one, as an answer.
pub(super) fn encode<'m, T: ReplyValue, V: Encode>(
    buffer: &'m mut MessageBuffer,
    value: &'m V,
) -> Result<Outgoing<'m>, EncodeError> {
    Outgoing::encode(buffer, REPLY_ID, Schema::fingerprint_of::<T>(), |out| value.encode(out))
}

/// Sends an answer or a refusal.
pub(super) fn send(outgoing: Outgoing<'_>, right: &ReplyRight) -> Result<(), Error> {
    // A send-once right never waits for room, and a peer's send right is not waited for.
    outgoing.answer(right).send(Deadline::never()).map_err(|source| match source {
        source if source.is_dead_destination() => Error::CallerGone,
        source => Error::Mach { endpoint: CALLER.to_owned(), source },
    })
}

/// Tells the caller, and returns, that a value cannot be its answer.
pub(super) fn unencodable(right: ReplyRight, source: EncodeError) -> Error {
    refuse(right, &Refusal::new(Why::Rejected, format!("the host's reply: {source}")));
    Error::Encode { endpoint: CALLER.to_owned(), source }
}

/// Tells the caller that there will be no answer. Whether it still listens does not matter.
pub(crate) fn refuse(right: ReplyRight, refusal: &Refusal) {
    let value: Wire<'_> =
        (refusal.why as u32, refusal.fingerprint, refusal.text.as_str(), refusal.schema.as_str());
    let fingerprint = Schema::fingerprint_of::<Wire<'_>>();
    scratch::with(|scratch| {
        // If it cannot be sent, dropping the right tells the caller as much as can be told.
        if let Ok(outgoing) =
            Outgoing::encode(&mut scratch.send, REFUSAL_ID, fingerprint, |out| value.encode(out))
        {
            let _ = send(outgoing, &right);
        }
    });
}

/// What came to a reply port.
pub(crate) enum Answered<T> {
    Value(T),
    /// The host said why there is no answer.
    Failed(Error),
    /// The host found that the deadline has passed.
    Late,
    /// The right was destroyed unused: by a host that died, or by one that is not of this library.
    Lost,
}

impl<T> Answered<T> {
    #[inline]
    pub(crate) fn and_then<R>(self, next: impl FnOnce(T) -> Answered<R>) -> Answered<R> {
        match self {
            Self::Value(value) => next(value),
            Self::Failed(error) => Answered::Failed(error),
            Self::Late => Answered::Late,
            Self::Lost => Answered::Lost,
        }
    }
}

/// Reads what came to a reply port. `ours` is this side's message type.
pub(crate) fn read<T: ReplyValue>(received: &Received<'_>, endpoint: &str, ours: Own) -> Answered<T> {
    read_by::<T, T>(received, endpoint, ours, |name, fingerprint| {
        received.decode_with(name, fingerprint, |input| T::decode(input))
    })
}

/// [`read`] of an answer that is looked at where it was received.
pub(crate) fn read_view<T: ReplyView, R>(
    received: &Received<'_>,
    endpoint: &str,
    ours: Own,
    look: impl FnOnce(T::View<'_>) -> R,
) -> Answered<R> {
    read_by::<T, R>(received, endpoint, ours, |name, fingerprint| {
        received.decode_then(name, fingerprint, T::View::decode, look)
    })
}

#[inline]
fn read_by<T: ReplyValue, R>(
    received: &Received<'_>,
    endpoint: &str,
    ours: Own,
    decode: impl FnOnce(&str, u64) -> Result<R, DecodeError>,
) -> Answered<R> {
    let malformed = |source| Error::Decode { endpoint: endpoint.to_owned(), source };
    match received.id() {
        REPLY_ID => match decode(std::any::type_name::<T>(), Schema::fingerprint_of::<T>()) {
            Ok(value) => Answered::Value(value),
            Err(source) => Answered::Failed(malformed(source)),
        },
        REFUSAL_ID => match read_refusal(received, endpoint, ours) {
            Ok(Some(error)) => Answered::Failed(error),
            Ok(None) => Answered::Late,
            Err(source) => Answered::Failed(malformed(source)),
        },
        id => match received.notification() {
            Some(Notification::SendOnce) => Answered::Lost,
            _ => Answered::Failed(malformed(DecodeError::new(format!(
                "a message with id {id:#x} is no reply"
            )))),
        },
    }
}

/// `None` for a deadline that has passed: whoever waits knows more about it.
fn read_refusal(received: &Received<'_>, endpoint: &str, ours: Own) -> Result<Option<Error>, DecodeError> {
    let (why, fingerprint, reason, schema) =
        received.decode_with("a refusal", Schema::fingerprint_of::<Wire<'_>>(), Wire::decode)?;
    let (endpoint, reason) = (endpoint.to_owned(), reason.to_owned());
    Ok(Some(match why {
        why if why == Why::Late as u32 => return Ok(None),
        why if why == Why::Dropped as u32 => Error::ReplyDropped { endpoint },
        why if why == Why::Foreign as u32 => {
            Error::fingerprint(endpoint, (ours.dialect)(), &reason, fingerprint, schema)
        }
        why if why == Why::Unsupported as u32 => {
            let unknown = (fingerprint & NO_SUCH_MESSAGE != 0).then_some(fingerprint as u32 as i32);
            Error::Unsupported { endpoint, message: unknown.and_then(ours.message_name), reason }
        }
        why if why == Why::Denied as u32 => Error::Denied { endpoint, reason },
        why if why == Why::Stopping as u32 => Error::HostStopping { endpoint },
        _ => Error::Rejected { endpoint, reason },
    }))
}

/// What a failed send means to whoever sent.
pub(crate) fn send_error(endpoint: &str, source: MachError, after: std::time::Duration) -> Error {
    let endpoint = endpoint.to_owned();
    if source.is_timed_out() {
        Error::DeadlineExceeded { endpoint, after }
    } else if source.is_dead_destination() {
        Error::HostDied { endpoint }
    } else {
        Error::Mach { endpoint, source }
    }
}
