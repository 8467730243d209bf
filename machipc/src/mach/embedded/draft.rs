//! A message as its sender wrote it, in private memory: parsed and checked, but with no right taken yet.

use super::loans;
use super::memory::{self, MemoryError, Region};
use crate::mach::{
    MACH_MSG_GUARD_FLAGS_MASK, MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND, MACH_MSG_GUARDED_PORT_DESCRIPTOR,
    MACH_MSG_OOL_DESCRIPTOR, MACH_MSG_OOL_PORTS_DESCRIPTOR, MACH_MSG_OOL_VOLATILE_DESCRIPTOR,
    MACH_MSG_PHYSICAL_COPY, MACH_MSG_PORT_DESCRIPTOR, MACH_MSG_PORTS_MAX, MACH_MSG_SEND_MAX,
    MACH_MSG_VIRTUAL_COPY, MACH_MSG_VM_KERNEL, MACH_MSGH_BITS_COMPLEX, MACH_MSGH_BITS_USER,
    MACH_SEND_INVALID_TYPE, MACH_SEND_MSG_TOO_SMALL, MACH_SEND_TOO_LARGE, mach_msg_header_t,
    mach_msg_return_t,
};

/// Where descriptors begin behind the header.
pub(super) const DESCRIPTORS_AT: usize = 4;

/// A physical copy of more than this uses up the budget below (mach-semantics §3, code 0x400).
const PHYSICAL_FREE: usize = if cfg!(target_arch = "x86_64") { 16 * 1024 } else { 32 * 1024 };
/// What the physical copies of one message may amount to, with 8 bytes for each port.
const PHYSICAL_MAX: usize = 7 * 1024 * 1024;

/// A descriptor, with its memory copied already.
pub(super) enum Descriptor {
    Port { name: u32, disposition: u8 },
    Guarded { name: u32, context: u64, flags: u16 },
    Memory { span: Span, kind: u8, copy: u8, memory: Result<Option<Region>, MemoryError> },
    Ports { span: Span, disposition: u8, names: Result<Vec<u32>, MemoryError> },
}

/// Memory of the sender that a descriptor names.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) address: usize,
    pub(super) len: usize,
    /// The pages leave the sender.
    pub(super) deallocate: bool,
    /// The copy is the sender's very pages: nothing is left to unmap.
    pub(super) adopted: bool,
}

impl Span {
    /// Takes the pages from the sender, where it asked for that.
    pub(super) fn deallocate(&self) {
        if self.deallocate && !self.adopted {
            memory::unmap(self.address, self.len);
        }
    }
}

/// A message before its rights are taken.
pub(super) struct Draft {
    pub(super) bits: u32,
    pub(super) remote: u32,
    pub(super) local: u32,
    pub(super) voucher: u32,
    pub(super) id: i32,
    pub(super) descriptors: Vec<Descriptor>,
    /// Everything behind the header.
    pub(super) bytes: Vec<u8>,
}

impl Draft {
    /// Copies and checks a message of `size` bytes. The memory that descriptors name is [copied](Self::copy_memory) apart.
    ///
    /// # Safety
    /// As `mach_msg`: `message` is readable for `size` bytes.
    pub(super) unsafe fn read(
        message: *const mach_msg_header_t,
        size: usize,
        mut bytes: Vec<u8>,
    ) -> Result<Self, mach_msg_return_t> {
        if size < size_of::<mach_msg_header_t>() || !size.is_multiple_of(4) {
            return Err(MACH_SEND_MSG_TOO_SMALL);
        }
        if size > MACH_MSG_SEND_MAX as usize {
            return Err(MACH_SEND_TOO_LARGE);
        }
        // SAFETY: readable for `size` bytes by the caller's word, and a header fits.
        let header = unsafe { message.read_unaligned() };
        // SAFETY: as above; `header` bytes are inside `size`.
        let body = unsafe { message.add(1) }.cast::<u8>();
        // SAFETY: the rest of the message, by the caller's word; the borrow ends before this function does.
        let body = unsafe { core::slice::from_raw_parts(body, size - size_of::<mach_msg_header_t>()) };
        bytes.clear();
        bytes.extend_from_slice(body);
        let mut draft = Self {
            bits: header.msgh_bits & MACH_MSGH_BITS_USER,
            remote: header.msgh_remote_port,
            local: header.msgh_local_port,
            voucher: header.msgh_voucher_port,
            id: header.msgh_id,
            descriptors: Vec::new(),
            bytes,
        };
        if draft.bits & MACH_MSGH_BITS_COMPLEX != 0 {
            draft.parse_descriptors()?;
        }
        Ok(draft)
    }

    /// Whether the sender marked the message complex.
    pub(super) fn is_complex(&self) -> bool {
        self.bits & MACH_MSGH_BITS_COMPLEX != 0
    }

    fn parse_descriptors(&mut self) -> Result<(), mach_msg_return_t> {
        let bytes = &self.bytes;
        let count = word(bytes, 0).ok_or(MACH_SEND_MSG_TOO_SMALL)? as usize;
        if count > (bytes.len() - DESCRIPTORS_AT) / 12 {
            return Err(MACH_SEND_MSG_TOO_SMALL);
        }
        let mut at = DESCRIPTORS_AT;
        let (mut ports, mut physical) = (0_usize, 0_usize);
        let mut descriptors = Vec::with_capacity(count);
        // Sizes are checked for all before the kind of any: a message that is too small says so first.
        let mut wrong = None;
        for _ in 0..count {
            let kind = *bytes.get(at + 11).ok_or(MACH_SEND_MSG_TOO_SMALL)?;
            let size = if kind == MACH_MSG_PORT_DESCRIPTOR { 12 } else { 16 };
            let descriptor = bytes.get(at..at + size).ok_or(MACH_SEND_MSG_TOO_SMALL)?;
            at += size;
            match parse_descriptor(descriptor, kind) {
                Some(parsed) => {
                    ports += match &parsed {
                        Descriptor::Port { .. } | Descriptor::Guarded { .. } => 1,
                        Descriptor::Ports { span, .. } => span.len / 4,
                        Descriptor::Memory { .. } => 0,
                    };
                    if let Descriptor::Memory { span, copy: MACH_MSG_PHYSICAL_COPY, .. } = &parsed
                        && !span.deallocate
                        && span.len > PHYSICAL_FREE
                    {
                        physical += span.len;
                    }
                    descriptors.push(parsed);
                }
                None => wrong = Some(MACH_SEND_INVALID_TYPE),
            }
        }
        if let Some(code) = wrong {
            return Err(code);
        }
        if ports > MACH_MSG_PORTS_MAX as usize {
            return Err(MACH_SEND_TOO_LARGE);
        }
        if physical > 0 && physical + 8 * ports > PHYSICAL_MAX {
            return Err(MACH_MSG_VM_KERNEL);
        }
        self.descriptors = descriptors;
        Ok(())
    }

    /// Copies, or takes over, the memory that descriptors name. What cannot be read is noted and reported in its turn.
    ///
    /// # Safety
    /// The memory may be read, and taken where `deallocate` says so.
    pub(super) unsafe fn copy_memory(&mut self) {
        self.refuse_overlaps();
        for descriptor in &mut self.descriptors {
            match descriptor {
                Descriptor::Memory { span, memory: memory @ Ok(None), .. } if span.len > 0 => {
                    if span.deallocate && loans::is_loan(span.address) {
                        span.adopted = true;
                        *memory = Ok(Some(Region::borrowed(span.address, span.len).of_task()));
                    } else if span.deallocate && memory::is_shared(span.address, span.len) {
                        span.adopted = true;
                        // SAFETY: memory of `vm_allocate`, which the caller gives up; it is mapped writable.
                        *memory = Ok(Some(unsafe { Region::adopt(span.address, span.len) }.of_task()));
                    } else {
                        // SAFETY: the caller says that it may be read.
                        *memory = unsafe { Region::snapshot(span.address, span.len) }.map(Some);
                    }
                }
                Descriptor::Ports { span, names: names @ Ok(_), .. } if span.len > 0 => {
                    *names = memory::check_readable(span.address, span.len).map(|()| {
                        // SAFETY: found readable, and the caller keeps it so.
                        let array =
                            unsafe { core::slice::from_raw_parts(span.address as *const u8, span.len) };
                        array.chunks_exact(4).filter_map(|chunk| word(chunk, 0)).collect()
                    });
                }
                _ => {}
            }
        }
    }

    /// Of two regions that overlap and of which the first leaves the sender, the second cannot be read any more.
    fn refuse_overlaps(&mut self) {
        let mut leaving: Vec<(usize, usize)> = Vec::new();
        for descriptor in &mut self.descriptors {
            let (span, unreadable): (Span, &mut dyn FnMut()) = match descriptor {
                Descriptor::Memory { span, memory, .. } => {
                    (*span, &mut || *memory = Err(MemoryError::Unreadable))
                }
                Descriptor::Ports { span, names, .. } => {
                    (*span, &mut || *names = Err(MemoryError::Unreadable))
                }
                _ => continue,
            };
            if span.len == 0 {
                continue;
            }
            let end = span.address.saturating_add(span.len);
            let at = leaving.partition_point(|&(_, leaves)| leaves <= span.address);
            if leaving.get(at).is_some_and(|&(from, _)| from < end) {
                unreadable();
            } else if span.deallocate {
                leaving.insert(at, (span.address, end));
            }
        }
    }
}

/// The 32-bit word at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// Reads one descriptor of 12 or 16 bytes; `None` where its type or an option is not valid.
fn parse_descriptor(bytes: &[u8], kind: u8) -> Option<Descriptor> {
    let address =
        || word(bytes, 0).zip(word(bytes, 4)).map(|(low, high)| u64::from(low) | u64::from(high) << 32);
    let (byte8, copy, byte10) = (bytes[8], bytes[9], bytes[10]);
    match kind {
        MACH_MSG_PORT_DESCRIPTOR => Some(Descriptor::Port { name: word(bytes, 0)?, disposition: byte10 }),
        MACH_MSG_OOL_DESCRIPTOR | MACH_MSG_OOL_VOLATILE_DESCRIPTOR => {
            if copy != MACH_MSG_PHYSICAL_COPY && copy != MACH_MSG_VIRTUAL_COPY {
                return None;
            }
            let len = word(bytes, 12)? as usize;
            let span =
                Span { address: address()? as usize, len, deallocate: byte8 != 0 && len > 0, adopted: false };
            Some(Descriptor::Memory { span, kind, copy, memory: Ok(None) })
        }
        MACH_MSG_OOL_PORTS_DESCRIPTOR => {
            if copy != MACH_MSG_PHYSICAL_COPY && copy != MACH_MSG_VIRTUAL_COPY {
                return None;
            }
            let len = (word(bytes, 12)? as usize).checked_mul(4)?;
            let span =
                Span { address: address()? as usize, len, deallocate: byte8 != 0 && len > 0, adopted: false };
            Some(Descriptor::Ports { span, disposition: byte10, names: Ok(Vec::new()) })
        }
        MACH_MSG_GUARDED_PORT_DESCRIPTOR => {
            let flags = u16::from_le_bytes([byte8, copy]);
            let context = address()?;
            let unguarded = flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND != 0;
            if byte10 != 16
                || flags == 0
                || flags & !MACH_MSG_GUARD_FLAGS_MASK != 0
                || (unguarded && context != 0)
            {
                return None;
            }
            Some(Descriptor::Guarded { name: word(bytes, 12)?, context, flags })
        }
        _ => None,
    }
}
