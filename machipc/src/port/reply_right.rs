//! The right that came with a message to answer it.

use core::fmt;

use crate::mach;
use crate::message::{
    Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, RightCell, RightKind, Schema,
};

use super::send_right::{is_dead, kind_name, release};
use super::{MachError, ReceiveRight, SendOnceRight, deaths};

/// The right that came in a message's header to answer it, whatever kind the sender chose.
///
/// Peers of this library send a send-once right. A foreign or hostile one may send a send right, whose queue may be full
/// on purpose: an answer through such a right never waits (mach-semantics, reply tricks). Dropped unused, a send-once
/// right tells the sender so.
pub struct ReplyRight {
    kind: RightKind,
    cell: RightCell,
}

impl ReplyRight {
    /// The right's name in this process: `MACH_PORT_DEAD` if it was dead when it arrived, `MACH_PORT_NULL` once used.
    pub fn name(&self) -> u32 {
        self.cell.get()
    }

    /// Send-once or send.
    pub fn kind(&self) -> RightKind {
        self.kind
    }

    /// Whether nobody waits for the answer any more, as far as is known.
    pub fn is_dead(&self) -> bool {
        is_dead(self.name())
    }

    /// Asks for a notification to `notify`: dead-name when the caller's port dies, port-deleted when this right is used or given
    /// away. An earlier request is replaced. One notification comes for each call of this that succeeds.
    ///
    /// # Errors
    /// `KERN_INVALID_ARGUMENT` if the right is dead already; a send-once notification then comes to `notify`.
    pub fn notify_dead_name<N>(&self, notify: &ReceiveRight<N>) -> Result<(), MachError> {
        deaths::ask(self.name(), mach::MACH_NOTIFY_DEAD_NAME, 0, notify.name())
            .map(|previous| drop(SendOnceRight::from_previous(previous)))
    }

    pub(crate) const fn cell(&self) -> &RightCell {
        &self.cell
    }

    pub(crate) const fn new(kind: RightKind, name: u32) -> Self {
        Self { kind, cell: RightCell::new(name) }
    }
}

impl Drop for ReplyRight {
    fn drop(&mut self) {
        release(self.cell.take());
    }
}

impl fmt::Debug for ReplyRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyRight({}, {:#x})", kind_name(self.kind), self.name())
    }
}

/// Encoded, the right moves on in the header of another message, whose receiver then answers in our place.
impl Encode for ReplyRight {
    const MIN_SIZE: usize = 0;

    fn schema(schema: &mut Schema) {
        schema.push("reply");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        if self.name() == 0 {
            return Err(EncodeError::new("the reply right has been used already"));
        }
        out.reply(self.kind, &self.cell)
    }
}

impl<'de> Decode<'de> for ReplyRight {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.take_reply().map(|(kind, name)| Self::new(kind, name))
    }
}
