//! Messages, written and read by offset, because Mach packs everything inside them to four bytes.

use super::{Name, Outcome, Region, code_text, deallocate, mod_refs};
use machipc::mach::*;

/// How long, in milliseconds, a rule waits for what must come.
pub const PATIENCE: mach_msg_timeout_t = 15_000;

// ---- Bytes.

/// A message buffer, aligned to four bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Buffer {
    words: Vec<u32>,
}

impl Buffer {
    /// At least `size` bytes, each `fill`.
    pub fn filled(size: usize, fill: u8) -> Buffer {
        Buffer { words: vec![u32::from_le_bytes([fill; 4]); size.div_ceil(4)] }
    }

    pub fn size(&self) -> usize {
        self.words.len() * 4
    }

    pub fn u8(&self, at: usize) -> u8 {
        self.words[at / 4].to_le_bytes()[at % 4]
    }

    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.u8(at), self.u8(at + 1)])
    }

    /// The word at a multiple of four.
    pub fn u32(&self, at: usize) -> u32 {
        self.words[at / 4]
    }

    pub fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) | u64::from(self.u32(at + 4)) << 32
    }

    /// The words from `at` on.
    pub fn words(&self, at: usize, count: usize) -> &[u32] {
        &self.words[at / 4..at / 4 + count]
    }

    /// The address that the kernel sees.
    pub fn address(&self) -> u64 {
        self.words.as_ptr().addr() as u64
    }

    /// Whether every byte from `at` on is `fill`.
    pub fn untouched_from(&self, at: usize, fill: u8) -> bool {
        (at..self.size()).all(|i| self.u8(i) == fill)
    }
}

/// `mach_msg` on a buffer.
pub fn mach_msg_call(
    buffer: &mut Buffer,
    option: mach_msg_option_t,
    send_size: u32,
    limit: u32,
    name: Name,
    timeout: mach_msg_timeout_t,
) -> mach_msg_return_t {
    assert!(buffer.size() >= send_size.max(limit) as usize, "the rule's buffer is too small");
    let message = buffer.words.as_mut_ptr().cast();
    // SAFETY: the buffer is as large as both sizes and aligned to 4. What its descriptors name is the rule's own
    // memory, or memory that is not mapped and that the kernel must refuse.
    unsafe { mach_msg(message, option, send_size, limit, name, timeout, MACH_PORT_NULL) }
}

/// `mach_msg_overwrite`: sends from one buffer, receives into the other.
pub fn mach_msg_call_into(
    buffer: &mut Buffer,
    option: mach_msg_option_t,
    send_size: u32,
    into: &mut Buffer,
    name: Name,
    timeout: mach_msg_timeout_t,
) -> mach_msg_return_t {
    assert!(buffer.size() >= send_size as usize, "the rule's buffer is too small");
    let (message, receive) = (buffer.words.as_mut_ptr().cast(), into.words.as_mut_ptr().cast());
    let limit = into.size() as u32;
    // SAFETY: each buffer is as large as its size says and aligned to 4; descriptors as in `mach_msg_call`.
    unsafe {
        mach_msg_overwrite(message, option, send_size, limit, name, timeout, MACH_PORT_NULL, receive, 0)
    }
}

// ---- Sending.

/// A message to be sent.
#[derive(Clone, Default)]
pub struct Message {
    bits: u32,
    remote: Name,
    local: Name,
    voucher: u32,
    id: i32,
    header_size: u32,
    complex: bool,
    count: u32,
    body: Vec<u32>,
    data: Vec<u32>,
    size: Option<u32>,
}

impl Message {
    pub fn to(destination: Name, disposition: mach_msg_type_name_t) -> Message {
        Message { bits: disposition, remote: destination, ..Message::default() }
    }

    pub fn reply(mut self, name: Name, disposition: mach_msg_type_name_t) -> Message {
        self.local = name;
        self.bits |= disposition << 8;
        self
    }

    pub fn id(mut self, id: i32) -> Message {
        self.id = id;
        self
    }

    pub fn voucher(mut self, field: u32) -> Message {
        self.voucher = field;
        self
    }

    /// More bits of `msgh_bits`.
    pub fn bits(mut self, bits: u32) -> Message {
        self.bits |= bits;
        self
    }

    /// What the header says of its size; kernels ignore it.
    pub fn header_size(mut self, size: u32) -> Message {
        self.header_size = size;
        self
    }

    /// A body, though no descriptor may follow.
    pub fn complex(mut self) -> Message {
        self.complex = true;
        self
    }

    /// Another descriptor count than there are descriptors.
    pub fn count(mut self, count: u32) -> Message {
        self.count = count;
        self.complex()
    }

    /// A descriptor as words.
    pub fn descriptor(mut self, words: &[u32]) -> Message {
        self.body.extend_from_slice(words);
        self.count += 1;
        self.complex()
    }

    pub fn right(self, name: Name, disposition: mach_msg_type_name_t) -> Message {
        self.descriptor(&[name, 0, disposition << 16 | u32::from(MACH_MSG_PORT_DESCRIPTOR) << 24])
    }

    pub fn memory_at(self, kind: u8, address: u64, size: u32, copy: u8, deallocate: u8) -> Message {
        let flags = u32::from_le_bytes([deallocate, copy, 0, kind]);
        self.descriptor(&[address as u32, (address >> 32) as u32, flags, size])
    }

    pub fn memory(self, region: Region, copy: u8, deallocate: u8) -> Message {
        self.memory_at(MACH_MSG_OOL_DESCRIPTOR, region.address, region.size, copy, deallocate)
    }

    /// An array of names in memory. `count` of NULL region is free to be anything.
    pub fn rights_at(
        self,
        address: u64,
        count: u32,
        disposition: mach_msg_type_name_t,
        copy: u8,
        deallocate: u8,
    ) -> Message {
        let flags = u32::from_le_bytes([deallocate, copy, disposition as u8, MACH_MSG_OOL_PORTS_DESCRIPTOR]);
        self.descriptor(&[address as u32, (address >> 32) as u32, flags, count])
    }

    pub fn guarded(self, name: Name, disposition: mach_msg_type_name_t, flags: u16, context: u64) -> Message {
        let kind = u32::from(MACH_MSG_GUARDED_PORT_DESCRIPTOR);
        let packed = u32::from(flags) | disposition << 16 | kind << 24;
        self.descriptor(&[context as u32, (context >> 32) as u32, packed, name])
    }

    /// Inline words after the descriptors.
    pub fn data(mut self, words: &[u32]) -> Message {
        self.data.extend_from_slice(words);
        self
    }

    /// Another size than the message has. The buffer grows to it.
    pub fn size(mut self, size: u32) -> Message {
        self.size = Some(size);
        self
    }

    /// The bytes to pass, and their size.
    pub fn write(&self) -> (Buffer, u32) {
        let complex = if self.complex { MACH_MSGH_BITS_COMPLEX } else { 0 };
        let header =
            [self.bits | complex, self.header_size, self.remote, self.local, self.voucher, self.id as u32];
        let mut words = header.to_vec();
        if self.complex {
            words.push(self.count);
            words.extend_from_slice(&self.body);
        }
        words.extend_from_slice(&self.data);
        let size = self.size.unwrap_or(words.len() as u32 * 4);
        words.resize(words.len().max((size as usize).div_ceil(4)), 0);
        (Buffer { words }, size)
    }

    /// Sends; a queue that stays full ends it with a time-out in place of a hang.
    pub fn send(&self) -> mach_msg_return_t {
        self.send_with(MACH_SEND_TIMEOUT, PATIENCE)
    }

    /// Sends at once or not at all.
    pub fn try_send(&self) -> mach_msg_return_t {
        self.send_with(MACH_SEND_TIMEOUT, 0)
    }

    pub fn send_with(&self, option: mach_msg_option_t, timeout: mach_msg_timeout_t) -> mach_msg_return_t {
        self.send_and_keep(option, timeout).0
    }

    /// Sends, and gives the buffer as the kernel left it.
    pub fn send_and_keep(
        &self,
        option: mach_msg_option_t,
        timeout: mach_msg_timeout_t,
    ) -> (mach_msg_return_t, Buffer, u32) {
        let (mut buffer, size) = self.write();
        let code = mach_msg_call(&mut buffer, MACH_SEND_MSG | option, size, 0, MACH_PORT_NULL, timeout);
        (code, buffer, size)
    }

    /// Sends to a full queue and reads what the time-out put into the buffer.
    pub fn time_out(&self) -> Outcome<Received> {
        let (code, buffer, _) = self.send_and_keep(MACH_SEND_TIMEOUT, 0);
        expect_code!(code, MACH_SEND_TIMED_OUT);
        Received::parse(buffer)
    }
}

// ---- Receiving.

/// A message as it arrived.
pub struct Received {
    pub buffer: Buffer,
    pub bits: u32,
    pub size: u32,
    pub remote: Name,
    pub local: Name,
    pub voucher: u32,
    pub id: i32,
    pub descriptors: Vec<Descriptor>,
    /// Where the inline data starts.
    pub data_at: usize,
}

/// A descriptor of any kind. Fields that its kind lacks are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub kind: u8,
    pub name: Name,
    pub disposition: u32,
    pub address: u64,
    /// Bytes of memory, or names of an array.
    pub size: u32,
    pub copy: u8,
    pub deallocate: u8,
    pub context: u64,
    pub flags: u16,
}

/// A trailer; what was not asked for is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trailer {
    pub kind: u32,
    pub size: u32,
    pub seqno: u32,
    pub sender: [u32; 2],
    pub audit: [u32; 8],
    pub context: u64,
}

impl Received {
    /// Reads header and descriptors.
    pub fn parse(buffer: Buffer) -> Outcome<Received> {
        let bits = buffer.u32(0);
        let mut message = Received {
            bits,
            size: buffer.u32(4),
            remote: buffer.u32(8),
            local: buffer.u32(12),
            voucher: buffer.u32(16),
            id: buffer.u32(20) as i32,
            descriptors: Vec::new(),
            data_at: 24,
            buffer,
        };
        if bits & MACH_MSGH_BITS_COMPLEX != 0 {
            message.parse_body()?;
        }
        Ok(message)
    }

    fn parse_body(&mut self) -> Outcome {
        let (buffer, end) = (&self.buffer, (self.size as usize).min(self.buffer.size()));
        let mut at = 28;
        for _ in 0..buffer.u32(24) {
            expect!(at + 12 <= end, "expected descriptors within {end} bytes, got one at {at}");
            let kind = buffer.u8(at + 11);
            let (address, size) = (buffer.u64(at), if kind == 0 { 0 } else { buffer.u32(at + 12) });
            let blank = Descriptor {
                kind,
                name: 0,
                disposition: u32::from(buffer.u8(at + 10)),
                address: 0,
                size: 0,
                copy: 0,
                deallocate: 0,
                context: 0,
                flags: 0,
            };
            let (copy, deallocate) = (buffer.u8(at + 9), buffer.u8(at + 8));
            self.descriptors.push(match kind {
                MACH_MSG_PORT_DESCRIPTOR => Descriptor { name: buffer.u32(at), ..blank },
                MACH_MSG_GUARDED_PORT_DESCRIPTOR => {
                    Descriptor { name: size, context: address, flags: buffer.u16(at + 8), ..blank }
                }
                MACH_MSG_OOL_PORTS_DESCRIPTOR => Descriptor { address, size, copy, deallocate, ..blank },
                _ => Descriptor { address, size, copy, deallocate, disposition: 0, ..blank },
            });
            at += if kind == MACH_MSG_PORT_DESCRIPTOR { 12 } else { 16 };
        }
        self.data_at = at;
        Ok(())
    }

    /// Disposition of the remote field.
    pub fn remote_bits(&self) -> u32 {
        MACH_MSGH_BITS_REMOTE(self.bits)
    }

    /// Disposition of the local field.
    pub fn local_bits(&self) -> u32 {
        MACH_MSGH_BITS_LOCAL(self.bits)
    }

    /// The bits that a rule may compare.
    pub fn user_bits(&self) -> u32 {
        self.bits & !MACH_MSGH_BITS_RAISEIMP
    }

    /// The inline data.
    pub fn data(&self) -> &[u32] {
        self.buffer.words(self.data_at, (self.size as usize - self.data_at) / 4)
    }

    /// The only descriptor.
    pub fn only(&self) -> Outcome<Descriptor> {
        expect_eq!("number of descriptors", self.descriptors.len(), 1);
        Ok(self.descriptors[0])
    }

    /// The value of a notification that carries one.
    pub fn value(&self) -> u32 {
        self.buffer.u32(32)
    }

    /// The trailer behind the message.
    pub fn trailer(&self) -> Trailer {
        let (buffer, at) = (&self.buffer, (self.size as usize).next_multiple_of(4));
        let mut trailer = Trailer { kind: buffer.u32(at), size: buffer.u32(at + 4), ..Trailer::default() };
        if trailer.size >= 12 {
            trailer.seqno = buffer.u32(at + 8);
        }
        if trailer.size >= 20 {
            trailer.sender.copy_from_slice(buffer.words(at + 12, 2));
        }
        if trailer.size >= 52 {
            trailer.audit.copy_from_slice(buffer.words(at + 20, 8));
        }
        if trailer.size >= 60 {
            trailer.context = buffer.u64(at + 52);
        }
        trailer
    }

    /// Frees all that a received message brought: the remote right, the descriptors' rights and memory.
    pub fn release(self) -> Outcome {
        release_right(self.remote, self.remote_bits())?;
        self.descriptors.iter().try_for_each(Descriptor::release)
    }

    /// Frees all that a timed-out send gave back: the local right too.
    pub fn release_returned(self) -> Outcome {
        release_right(self.local, self.local_bits())?;
        self.release()
    }
}

impl Descriptor {
    /// The memory that it names; for an array of names, the array.
    pub fn region(&self) -> Region {
        let unit = if self.kind == MACH_MSG_OOL_PORTS_DESCRIPTOR { 4 } else { 1 };
        Region::received(self.address, self.size * unit)
    }

    fn release(&self) -> Outcome {
        match self.kind {
            MACH_MSG_PORT_DESCRIPTOR => release_right(self.name, self.disposition),
            MACH_MSG_GUARDED_PORT_DESCRIPTOR if self.name == MACH_PORT_NULL => Ok(()),
            MACH_MSG_GUARDED_PORT_DESCRIPTOR => {
                expect_code!(super::destruct(self.name, 0, self.context), KERN_SUCCESS);
                Ok(())
            }
            MACH_MSG_OOL_PORTS_DESCRIPTOR => {
                for name in self.region().into_words()? {
                    release_right(name, self.disposition)?;
                }
                Ok(())
            }
            _ => self.region().free(),
        }
    }
}

/// Releases one right as it was received.
fn release_right(name: Name, disposition: u32) -> Outcome {
    if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
        return Ok(());
    }
    let code = match disposition {
        MACH_MSG_TYPE_PORT_RECEIVE => mod_refs(name, MACH_PORT_RIGHT_RECEIVE, -1),
        MACH_MSG_TYPE_PORT_SEND | MACH_MSG_TYPE_PORT_SEND_ONCE => deallocate(name),
        _ => fail!("expected a received disposition for {name:#x}, got {disposition}"),
    };
    expect_code!(code, KERN_SUCCESS);
    Ok(())
}

/// Receives what must come, with an audit trailer.
pub fn receive(name: Name) -> Outcome<Received> {
    receive_large(name, 4096)
}

/// [`receive`] of up to `limit` bytes.
pub fn receive_large(name: Name, limit: usize) -> Outcome<Received> {
    let option = MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT);
    let mut buffer = Buffer::filled(limit, 0xaa);
    let code = receive_with(name, option, &mut buffer, limit as u32, PATIENCE);
    expect!(code == 0, "expected a message on {name:#x}, got {}", code_text(code));
    Received::parse(buffer)
}

/// Receives into a buffer.
pub fn receive_with(
    name: Name,
    option: mach_msg_option_t,
    buffer: &mut Buffer,
    limit: u32,
    timeout: mach_msg_timeout_t,
) -> mach_msg_return_t {
    mach_msg_call(buffer, MACH_RCV_MSG | option, 0, limit, name, timeout)
}

/// Receives what is there, or gives the code of a poll.
pub fn try_receive(name: Name) -> (mach_msg_return_t, Option<Received>) {
    let mut buffer = Buffer::filled(4096, 0);
    let code = receive_with(name, MACH_RCV_TIMEOUT, &mut buffer, 4096, 0);
    (code, if code == 0 { Received::parse(buffer).ok() } else { None })
}

/// Demands that no message is queued.
pub fn quiet(name: Name) -> Outcome {
    quiet_for(name, 0)
}

/// Demands that no message comes for so many milliseconds.
pub fn quiet_for(name: Name, timeout: mach_msg_timeout_t) -> Outcome {
    let mut buffer = Buffer::filled(4096, 0);
    let code = receive_with(name, MACH_RCV_TIMEOUT, &mut buffer, 4096, timeout);
    expect!(code != 0, "expected no message on {name:#x}, got one with id {}", buffer.u32(20) as i32);
    expect_code!(code, MACH_RCV_TIMED_OUT);
    Ok(())
}

/// Receives a notification and compares its id, and the value of those that carry one.
pub fn expect_notification(name: Name, id: mach_msg_id_t, value: Option<u32>) -> Outcome<Received> {
    let message = receive(name)?;
    expect_eq!("id of the notification", message.id, id);
    if let Some(value) = value {
        expect_eq!("size of the notification", message.size, 36);
        expect_eq!("value of the notification", message.value(), value);
    }
    Ok(message)
}

/// Receives into memory that is not mapped, and gives the code.
pub fn receive_into_a_hole(name: Name) -> Outcome<mach_msg_return_t> {
    let region = Region::new(3 * super::PAGE_STEP)?;
    let hole = region.part(super::PAGE_STEP, super::PAGE_STEP);
    hole.free()?;
    let (message, option) =
        (hole.address as usize as *mut mach_msg_header_t, MACH_RCV_MSG | MACH_RCV_TIMEOUT);
    // SAFETY: no object of this process lives in the hole, so that the kernel can at worst end the process.
    let code = unsafe { mach_msg(message, option, 0, 1024, name, 0, MACH_PORT_NULL) };
    region.part(0, super::PAGE_STEP).free()?;
    region.part(2 * super::PAGE_STEP, super::PAGE_STEP).free()?;
    Ok(code)
}
