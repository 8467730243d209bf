//! A payload in line of which large parts were not copied into the buffer: the message is sent from where they lie, or they are copied after all.

use super::super::{plain, restore, sys};
use super::{Outgoing, Rights, front};

/// As many parts are sent by themselves.
const PARTS_MAX: usize = 8;

impl Outgoing<'_> {
    /// How many bytes of the payload are not in the buffer.
    pub(super) fn lent_len(&self) -> usize {
        self.lent.iter().map(|lent| lent.bytes.len()).sum()
    }

    /// Sends a message in line from where its parts lie, if it can go so at once. Otherwise they are copied into the buffer, and it is a message
    /// like any other.
    #[cold]
    pub(super) fn leaves_in_parts(&mut self) -> bool {
        let sent = self.is_plain() && self.send_parts();
        if !sent {
            self.copy_lent();
        }
        sent
    }

    fn send_parts(&mut self) -> bool {
        let (size, start) = (self.size(), self.prefix - plain::HEAD);
        let lent = self.lent_len();
        // The size of a message is a multiple of 4.
        self.bytes.set_len(start + size - lent);
        let bytes = self.bytes.as_mut_bytes();
        bytes[self.payload_end..].fill(0);
        plain::write_head(&mut bytes[start..], size, self.id, &self.destination, &self.reply);
        let payload = self.prefix + front(self.traced);
        let (mut parts, mut count, mut from) = ([&[][..]; PARTS_MAX], 0, start);
        let mut add = |part| {
            let place: Option<&mut &[u8]> = parts.get_mut(count);
            count += 1;
            place.map(|place| *place = part)
        };
        for lent in &self.lent {
            add(&bytes[from..payload + lent.at]);
            add(lent.bytes);
            from = payload + lent.at;
        }
        let fit = add(&bytes[from..]).is_some();
        let sent = fit && sys::send_parts(&parts);
        if !sent {
            let Self { destination, reply, .. } = *self;
            let rights = Rights { destination, reply, attachments: &[], payload: None, names: &[] };
            restore::unsent(&bytes[start..], &rights);
        }
        sent
    }

    /// Puts what was lent into its place in the buffer.
    fn copy_lent(&mut self) {
        let payload = self.prefix + front(self.traced);
        let mut end = self.payload_end;
        let mut free = end + self.lent_len();
        self.bytes.set_len(free);
        self.payload_end = free;
        let bytes = self.bytes.as_mut_bytes();
        for lent in core::mem::take(&mut self.lent).iter().rev() {
            let at = payload + lent.at;
            free -= end - at;
            bytes.copy_within(at..end, free);
            free -= lent.bytes.len();
            bytes[free..free + lent.bytes.len()].copy_from_slice(lent.bytes);
            end = at;
        }
    }

    /// Whether parts of the payload, which is in line, are not in the buffer.
    pub(super) fn is_in_parts(&self) -> bool {
        !self.lent.is_empty() && !self.out_of_line
    }
}
