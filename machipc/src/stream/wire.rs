//! A stream's messages. Items come through a send right, whose queue is the window. What ends the stream comes through a send-once
//! right, for which any queue has room, and which tells by itself when it is gone: whoever held it has dropped it, or has died.

use crate::message::{Decode, DecodeError, Encode, Schema};
use crate::port::{Notification, Received};
use crate::reply::ReplyValue;

use super::StreamError;

/// The id of a message with one item.
pub(super) const ITEM_ID: i32 = 0x2000_0010;
/// The id of a message that says that all items were sent, and how many they were.
pub(super) const FINISH_ID: i32 = 0x2000_0011;
/// The id of a message that says why there are no more items.
pub(super) const FAIL_ID: i32 = 0x2000_0012;

/// The id of a message that says that the host which has the stream's other end shuts down, or the reader's own.
pub(super) const STOPPED_ID: i32 = 0x2000_0013;

/// The id of a message that says nothing: from a host that has handed a source on.
pub(super) const NOTHING_ID: i32 = 0x2000_0014;

/// What came to a stream's port.
pub(super) enum Came<T, E> {
    Item(T),
    Nothing,
    /// The stream has ended, well or not.
    End(Option<StreamError<E>>),
}

/// Reads what came to the port of a stream of which `received` items came before.
pub(super) fn read<T: ReplyValue, E: ReplyValue>(message: &Received<'_>, received: u64) -> Came<T, E> {
    let came = match message.id() {
        ITEM_ID => decode::<T>(message).map(Came::Item),
        FINISH_ID => decode::<u64>(message).map(|sent| match sent {
            sent if sent == received => Came::End(None),
            sent => {
                let reason = format!("{received} of the {sent} items came that were sent");
                Came::End(Some(StreamError::Malformed(DecodeError::new(reason))))
            }
        }),
        FAIL_ID => decode::<E>(message).map(|error| Came::End(Some(StreamError::Failed(error)))),
        STOPPED_ID => decode::<()>(message).map(|()| Came::End(Some(StreamError::HostStopping))),
        NOTHING_ID => decode::<()>(message).map(|()| Came::Nothing),
        id => match message.notification() {
            Some(Notification::SendOnce) => Ok(Came::End(Some(StreamError::ProducerGone))),
            _ => Err(DecodeError::new(format!("a message with id {id:#x} is no part of a stream"))),
        },
    };
    came.unwrap_or_else(|error| Came::End(Some(StreamError::Malformed(error))))
}

fn decode<T: Encode + for<'de> Decode<'de>>(message: &Received<'_>) -> Result<T, DecodeError> {
    message.decode_with(std::any::type_name::<T>(), Schema::fingerprint_of::<T>(), |input| T::decode(input))
}
