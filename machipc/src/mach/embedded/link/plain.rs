//! The head of the frame of a plain message: one that is simple (see `simple`), or is so but for a loan. It is as long as the message's header, and
//! is written from registers and read into them.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::frame::{
    ASSIGNED, HEAD, PLAIN, PLAIN_ASKS, PLAIN_HEAD, PLAIN_LENDS, PLAIN_TO_ONCE, TO_ONCE, TO_SEND,
};
use super::lending::{DESCRIPTOR_WORDS, ITEM_WORDS, Lent};
use crate::mach::{MACH_MSG_SEND_MAX, mach_msg_header_t};

/// Bytes of a simple message's frame before its own, without its header.
pub(super) const FRAME_HEAD: usize = HEAD + PLAIN_HEAD;
pub(super) const FRAME_WORDS: usize = FRAME_HEAD / 4;
/// The same of a message with a loan.
pub(super) const LENT_HEAD: usize = FRAME_HEAD + 4 * ITEM_WORDS;
const MESSAGE_HEADER: usize = size_of::<mach_msg_header_t>();

/// The frame head of a message with a loan.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct LentHead {
    pub(super) head: [u32; FRAME_WORDS],
    pub(super) item: [u32; ITEM_WORDS],
}

/// Bytes of a frame's item, where there is one.
#[inline]
pub(super) const fn item_size(lends: bool) -> usize {
    if lends { LENT_HEAD - FRAME_HEAD } else { 0 }
}

/// The frame head of a message with this header.
#[inline]
pub(super) fn frame_head(
    kind: u8,
    export: u32,
    header: &mach_msg_header_t,
    reply: Option<u32>,
    loan: Option<[u32; ITEM_WORDS]>,
    len: usize,
) -> [u32; FRAME_WORDS] {
    let kind = if loan.is_some() { kind | PLAIN_LENDS } else { kind };
    let len = item_size(loan.is_some()) + len;
    plain_head(kind, export, header.msgh_id, header.msgh_voucher_port, reply, len)
}

/// A plain message's frame head, made of words, so that it never lies in memory before it lies in the ring.
#[inline]
pub(super) fn plain_head(
    kind: u8,
    export: u32,
    id: i32,
    voucher: u32,
    reply: Option<u32>,
    len: usize,
) -> [u32; FRAME_WORDS] {
    let kind = if reply.is_some() { kind | PLAIN_ASKS } else { kind };
    [(PLAIN_HEAD + len) as u32, u32::from(kind), export, id as u32, voucher, reply.unwrap_or(0)]
}

/// What counts in a plain message's frame.
pub(super) struct Head {
    pub(super) to: u8,
    pub(super) export: u32,
    pub(super) id: i32,
    pub(super) voucher: u32,
    /// Export of the send-once right for the answer.
    pub(super) reply: Option<u32>,
    /// Bytes behind the message's header.
    pub(super) len: usize,
}

/// Reads a simple message's frame head. `None` for every other frame, and for one that breaks a rule.
#[inline]
pub(super) fn parse_head(head: [u64; FRAME_HEAD / 8]) -> Option<Head> {
    parse_words(head, false)
}

/// Reads the frame head of a message that is simple but for a loan. `None` as above.
pub(super) fn parse_lent_head([a, b, c, d, e, f]: [u64; LENT_HEAD.div_ceil(8)]) -> Option<(Head, Lent)> {
    let head = parse_words([a, b, c], true)?;
    let ([kind, options], [len, block], [ticket, _]) = (halves(d), halves(e), halves(f));
    let lent = Lent::parse([kind, options, len, block, ticket]);
    if head.len < 4 * DESCRIPTOR_WORDS { None } else { Some((head, lent?)) }
}

/// The two halves of a word, as they lie in memory.
#[inline]
pub(in super::super) fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

#[inline]
fn parse_words([a, b, c]: [u64; FRAME_HEAD / 8], lends: bool) -> Option<Head> {
    const ONE_WAY: u32 = PLAIN as u32;
    const ANSWER: u32 = (PLAIN | PLAIN_TO_ONCE) as u32;
    const REQUEST: u32 = (PLAIN | PLAIN_ASKS) as u32;
    let ([body, kind], [export, id], [voucher, reply]) = (halves(a), halves(b), halves(c));
    // To a right of ours, and without descriptors.
    let (to, reply) = match (kind ^ if lends { u32::from(PLAIN_LENDS) } else { 0 }, reply) {
        (ONE_WAY, 0) => (TO_SEND, None),
        (ANSWER, 0) => (TO_ONCE, None),
        (REQUEST, reply) => (TO_SEND, Some(reply)),
        _ => return None,
    };
    let len = (body as usize).checked_sub(PLAIN_HEAD + item_size(lends))?;
    let sound = len.is_multiple_of(4) && len + MESSAGE_HEADER <= MACH_MSG_SEND_MAX as usize;
    (sound && export & ASSIGNED == 0).then_some(Head { to, export, id: id as i32, voucher, reply, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: [u32; FRAME_WORDS]) -> Option<Head> {
        parse_head(zerocopy::transmute!(head))
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for (kind, to, reply) in
            [(PLAIN, TO_SEND, None), (PLAIN, TO_SEND, Some(9)), (PLAIN | PLAIN_TO_ONCE, TO_ONCE, None)]
        {
            let head = read(plain_head(kind, 3, -7, 5, reply, 64)).expect("a simple message");
            assert_eq!((head.to, head.export, head.id, head.voucher), (to, 3, -7, 5));
            assert_eq!((head.reply, head.len), (reply, 64));
        }
    }

    #[test]
    fn what_is_not_simple_is_the_general_ways() {
        let sound = plain_head(PLAIN, 3, 7, 0, None, 64);
        let with = |index: usize, word| {
            let mut head = sound;
            head[index] = word;
            read(head).is_none()
        };
        let most = MACH_MSG_SEND_MAX - MESSAGE_HEADER as u32 + PLAIN_HEAD as u32;
        for len in [0, PLAIN_HEAD as u32 - 4, PLAIN_HEAD as u32 + 2, most + 4, u32::MAX] {
            assert!(with(0, len), "a body of {len} bytes");
        }
        assert!(!with(0, most) && !with(0, PLAIN_HEAD as u32));
        let plain = u32::from(PLAIN);
        let lends = u32::from(PLAIN_LENDS);
        for kind in [0, 1, plain | 3, plain | lends, plain | 1 << 8, plain | 1 << 16] {
            assert!(with(1, kind), "kind {kind:#x}");
        }
        // The former owner's exports, and an answer that is not asked for.
        assert!(with(2, ASSIGNED) && with(5, 1));
    }
}
