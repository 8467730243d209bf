//! What becomes of the rights and the memory in a message that was not sent.

use crate::mach;
use crate::message::{Attachment, RightCell, RightKind};

use super::descriptor::{self, Descriptor};
use super::outgoing::{Field, Rights};
use super::send_right::release;
use super::{MachError, sys};

/// Puts back what a message carries after `mach_msg` failed to send it.
///
/// Mach fails in three ways (mach-semantics §3). Either nothing happened, and the message is as it was built. Or the
/// message came back by a pseudo-receive: every right and region is in it, as received, and a copied right is there in
/// addition to the original. Reading the message tells both. Or the failure came after rights had been consumed.
pub(super) fn failed(message: &[u8], rights: &Rights<'_, '_>, error: MachError) {
    let from = match error.plain() {
        mach::MACH_SEND_INVALID_RIGHT => consumed(message, rights, false),
        mach::MACH_SEND_INVALID_MEMORY => consumed(message, rights, true),
        // Policies of the system: the header's rights are consumed, the others were not looked at.
        mach::MACH_SEND_INVALID_OPTIONS | mach::MACH_SEND_NO_GRANT_DEST | mach::MACH_SEND_MSG_FILTERED => {
            Kept::default()
        }
        _ => return unsent(message, rights),
    };
    attachments(message, rights, from);
}

/// Puts back everything: the message was not sent, or came back.
pub(super) fn unsent(message: &[u8], rights: &Rights<'_, '_>) {
    let word = |offset| descriptor::word(message, offset).unwrap_or(mach::MACH_PORT_NULL);
    let bits = word(core::mem::offset_of!(mach::mach_msg_header_t, msgh_bits));
    let remote = word(core::mem::offset_of!(mach::mach_msg_header_t, msgh_remote_port));
    let local = word(core::mem::offset_of!(mach::mach_msg_header_t, msgh_local_port));
    field(rights.destination, mach::MACH_MSGH_BITS_REMOTE(bits), remote);
    field(rights.reply, mach::MACH_MSGH_BITS_LOCAL(bits), local);
    attachments(message, rights, Kept::default());
}

/// What was not consumed: everything from this attachment on, and of that one, if it is an array, from this element on.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
struct Kept {
    attachment: usize,
    element: usize,
}

/// Puts back a right of the header. A right that was copied or made is ours too if its disposition says that it came back.
fn field(field: Field<'_>, disposition: u32, name: u32) {
    match field {
        Field::None => {}
        Field::Move(_, cell) => cell.set(name),
        Field::Copy(_) | Field::MakeOnce(_) => {
            if descriptor::kind(disposition).is_some() {
                release(name);
            }
        }
    }
}

/// Puts back the attachments that were kept. The others are gone, and their cells stay empty.
fn attachments(message: &[u8], rights: &Rights<'_, '_>, kept: Kept) {
    for (index, attachment, names, found) in parts(message, rights) {
        match (attachment, found) {
            // The right was made for this message alone, so whether it is there still tells whether it is ours.
            (Attachment::File(_), Descriptor::Port { name, .. })
                if index >= kept.attachment || is_held(name, RightKind::Send) =>
            {
                release(name);
            }
            _ if index < kept.attachment => {}
            (Attachment::Right(_, cell), Descriptor::Port { name, .. }) => put_back(cell, name),
            (Attachment::Rights(_, cells), Descriptor::Ports { address, count, .. }) => {
                let cells = cells.iter().enumerate();
                let first = if index == kept.attachment { kept.element } else { 0 };
                rights_of_array(cells.skip(first), names, address, count);
            }
            (Attachment::Memory(cell), Descriptor::Memory { address, size }) if size != 0 => {
                cell.set(address, size as usize);
            }
            // The bytes stayed where they are. What lies elsewhere is the copy of them that came back.
            (Attachment::Bytes(bytes), Descriptor::Memory { address, size })
                if size != 0 && address != bytes.as_ptr().addr() =>
            {
                // SAFETY: the region came back with the message, and nothing else knows of it.
                unsafe { sys::vm_deallocate(address, size as usize) };
            }
            _ => {}
        }
    }
}

/// Puts back rights of an array: out of the one that was built, or out of the one that came back instead of it.
fn rights_of_array<'c>(
    cells: impl Iterator<Item = (usize, &'c RightCell)>,
    built: &[u8],
    address: usize,
    count: u32,
) {
    let size = count as usize * size_of::<u32>();
    let came_back = size != 0 && address != built.as_ptr().addr();
    // SAFETY: an array that came back with the message is known to nobody else, and stays until it is unmapped below.
    let names = if came_back { unsafe { sys::bytes(address, size) } } else { built };
    for (element, cell) in cells {
        put_back(cell, descriptor::word(names, element * size_of::<u32>()).unwrap_or(mach::MACH_PORT_NULL));
    }
    if came_back {
        // SAFETY: as above, and its names have been read.
        unsafe { sys::vm_deallocate(address, size) };
    }
}

/// NULL is what an empty cell was written as, and another attachment may be what emptied it.
fn put_back(cell: &RightCell, name: u32) {
    if name != mach::MACH_PORT_NULL {
        cell.set(name);
    }
}

/// What was not consumed when the system refused an attachment, after it had consumed the header's rights and the
/// attachments before.
///
/// The system does not tell which one it refused; it can be none but one that this process does not hold, a receive right
/// that may not move, or, when it says so, memory that cannot be read. A name that is gone was consumed or was never there;
/// a receive right or a send-once right that is still there was not consumed, nor was what comes after it. Where this
/// leaves doubt, the last possible one is taken: a reference may leak then, but none is released that somebody else holds.
fn consumed(message: &[u8], rights: &Rights<'_, '_>, unreadable: bool) -> Kept {
    let mut kept = Kept::default();
    for (attachment, part, names, found) in parts(message, rights) {
        match (part, found) {
            (Attachment::Right(kind, _), Descriptor::Port { name, .. }) => match evidence(*kind, name) {
                Evidence::Gone if !unreadable => kept = Kept { attachment: attachment + 1, element: 0 },
                Evidence::Immovable if !unreadable => return Kept { attachment, element: 0 },
                Evidence::Immovable | Evidence::Untouched => return kept,
                Evidence::Gone | Evidence::None => {}
            },
            (Attachment::Rights(kind, _), _) => {
                for (element, name) in descriptor::names(names).enumerate() {
                    match evidence(*kind, name) {
                        Evidence::Gone if !unreadable => kept = Kept { attachment, element: element + 1 },
                        Evidence::Immovable if !unreadable => return Kept { attachment, element },
                        Evidence::Immovable | Evidence::Untouched => return kept,
                        Evidence::Gone | Evidence::None => {}
                    }
                }
            }
            (Attachment::Bytes(_) | Attachment::Memory(_), _) if unreadable => {
                kept = Kept { attachment, element: 0 };
            }
            _ => {}
        }
    }
    kept
}

/// What a name tells about what became of it.
enum Evidence {
    /// The right is not here: it was consumed, or was refused because it never was.
    Gone,
    /// The receive right is here: it may be what was refused, or comes after it.
    Immovable,
    /// The send-once right is here, so what was refused comes before it.
    Untouched,
    /// Other references of the name keep it here.
    None,
}

fn evidence(kind: RightKind, name: u32) -> Evidence {
    match (is_held(name, kind), kind) {
        (false, _) => Evidence::Gone,
        (true, RightKind::Receive) => Evidence::Immovable,
        (true, RightKind::SendOnce) => Evidence::Untouched,
        (true, RightKind::Send) => Evidence::None,
    }
}

/// Each attachment with its index, the names of an array as they were built, and its descriptor as it is now; last comes
/// the payload, if it is out of line.
fn parts<'p, 'm>(
    message: &'p [u8],
    rights: &'p Rights<'_, 'm>,
) -> impl Iterator<Item = (usize, &'p Attachment<'m>, &'p [u8], Descriptor)> {
    let mut offset = descriptor::FIRST;
    let mut names = rights.names;
    rights.attachments.iter().chain(&rights.payload).enumerate().map_while(move |(index, attachment)| {
        let (found, next) = Descriptor::read(message, offset)?;
        offset = next;
        let count = if let Attachment::Rights(_, cells) = attachment { cells.len() } else { 0 };
        let (array, rest) = names.split_at_checked(count * size_of::<u32>())?;
        names = rest;
        Some((index, attachment, array, found))
    })
}

/// Whether this process holds such a right under the name, or its dead remains.
fn is_held(name: u32, kind: RightKind) -> bool {
    let wanted = match kind {
        RightKind::Send => mach::MACH_PORT_TYPE_SEND | mach::MACH_PORT_TYPE_DEAD_NAME,
        RightKind::SendOnce => mach::MACH_PORT_TYPE_SEND_ONCE | mach::MACH_PORT_TYPE_DEAD_NAME,
        RightKind::Receive => mach::MACH_PORT_TYPE_RECEIVE,
    };
    sys::port_type(name) & wanted != 0
}
