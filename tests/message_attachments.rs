//! What travels beside the payload is named in order, once, and completely.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use machipc::message::{
    AlignedBuffer, Attachment, AttachmentSource, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder,
    MemoryCell, ReplyPort, RightCell, RightKind, Schema,
};

mod message_types;
use message_types::aligned;

/// Hands out rights whose name is 100 and the index, and remembers what it was asked for.
#[derive(Default)]
struct Source {
    count: u32,
    reply: bool,
    bytes: Vec<u8>,
    asked: RefCell<Vec<String>>,
}

impl Source {
    fn of(count: u32) -> Self {
        Self { count, ..Self::default() }
    }

    fn ask(&self, what: String) {
        self.asked.borrow_mut().push(what);
    }
}

impl AttachmentSource for Source {
    fn count(&self) -> u32 {
        self.count
    }

    fn take_right(&self, index: u32, kind: RightKind) -> Result<u32, DecodeError> {
        self.ask(format!("{kind:?} {index}"));
        Ok(100 + index)
    }

    fn take_memory(&self, index: u32) -> Result<MemoryCell, DecodeError> {
        self.ask(format!("Memory {index}"));
        Ok(MemoryCell::default())
    }

    fn bytes(&self, index: u32) -> Result<&[u8], DecodeError> {
        self.ask(format!("Bytes {index}"));
        Ok(&self.bytes)
    }

    fn take_file(&self, index: u32) -> Result<OwnedFd, DecodeError> {
        self.ask(format!("File {index}"));
        Ok(File::open("/dev/null").map_err(|error| DecodeError::new(error.to_string()))?.into())
    }

    fn take_reply(&self) -> Option<(RightKind, u32)> {
        self.reply.then_some((RightKind::SendOnce, 7))
    }
}

/// A right as the floor above has them.
#[derive(Debug)]
struct Right(RightCell);

impl Encode for Right {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("right");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.attach(Attachment::Right(RightKind::Send, &self.0))
    }
}

impl<'de> Decode<'de> for Right {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.right(RightKind::Send).map(|name| Self(RightCell::new(name)))
    }
}

fn payload(indices: &[u32]) -> AlignedBuffer {
    aligned(&indices.iter().flat_map(|index| index.to_le_bytes()).collect::<Vec<_>>())
}

fn error<R>(result: Result<R, DecodeError>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn attachments_go_out_in_order_with_their_index_in_the_payload() {
    let (first, second) = (Right(RightCell::new(5)), Right(RightCell::new(6)));
    let file: OwnedFd = File::open("/dev/null").unwrap().into();
    let value = (1u8, vec![first, second], file);
    let mut buffer = AlignedBuffer::new();
    let mut out = Encoder::new(&mut buffer);
    value.encode(&mut out).unwrap();
    let encoded = out.finish();
    let rights: Vec<u32> = encoded
        .attachments
        .iter()
        .filter_map(|attachment| match attachment {
            Attachment::Right(RightKind::Send, cell) => Some(cell.get()),
            _ => None,
        })
        .collect();
    assert_eq!(rights, [5, 6]);
    let Attachment::File(fd) = &encoded.attachments[2] else { panic!("{:?}", encoded.attachments) };
    assert_eq!(fd.as_raw_fd(), value.2.as_raw_fd());
    assert_eq!(encoded.attachments.len(), 3);
    assert_eq!(buffer.as_bytes(), [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);

    let source = Source::of(3);
    let mut input = Decoder::new(buffer.as_bytes(), Some(&source));
    let (one, rights, _file) = <(u8, Vec<Right>, OwnedFd)>::decode(&mut input).unwrap();
    input.finish().unwrap();
    assert_eq!((one, rights[0].0.get(), rights[1].0.get()), (1, 100, 101));
    assert_eq!(*source.asked.borrow(), ["Send 0", "Send 1", "File 2"]);
}

#[test]
fn indices_are_the_next_one_or_an_error() {
    for (indices, expected) in [
        ([0, 0].as_slice(), "attachment 0 named, 1 comes next of 2"),
        (&[1, 0], "attachment 1 named, 0 comes next of 2"),
        (&[0, 2], "attachment 2 named, 1 comes next of 2"),
        (&[0, 1, 2], "attachment 2 named, 2 comes next of 2"),
        (&[u32::MAX], "attachment 4294967295 named, 0 comes next of 2"),
    ] {
        let buffer = payload(indices);
        let source = Source::of(2);
        let mut input = Decoder::new(buffer.as_bytes(), Some(&source));
        let result = indices.iter().try_for_each(|_| Right::decode(&mut input).map(drop));
        assert!(error(result).ends_with(expected), "{indices:?}");
    }
    let buffer = payload(&[0]);
    let result = Right::decode(&mut Decoder::new(buffer.as_bytes(), None));
    assert!(error(result).ends_with("attachment 0 named, 0 comes next of 0"));
}

#[test]
fn surplus_attachments_are_an_error() {
    let buffer = payload(&[0]);
    let source = Source::of(2);
    let mut input = Decoder::new(buffer.as_bytes(), Some(&source));
    Right::decode(&mut input).unwrap();
    assert!(error(input.finish()).ends_with("2 attachments came with the message, its fields hold 1"));
    assert!(error(Decoder::new(&[], Some(&source)).finish()).ends_with("its fields hold 0"));
}

#[test]
fn an_unknown_extension_may_hold_attachments() {
    // A right, an extension with two more that this side does not know, and a right behind it.
    let buffer = payload(&[0, 8, 1, 2, 3]);
    let source = Source::of(4);
    let mut input = Decoder::new(buffer.as_bytes(), Some(&source));
    let first = Right::decode(&mut input).unwrap();
    input.extension(|_| Ok(())).unwrap();
    let last = Right::decode(&mut input).unwrap();
    input.finish().unwrap();
    assert_eq!((first.0.get(), last.0.get()), (100, 103));

    // At the end, where this side knows of no extension at all.
    let mut input = Decoder::new(&buffer.as_bytes()[..16], Some(&source));
    Right::decode(&mut input).unwrap();
    input.finish().unwrap();

    // Still none is named twice.
    let buffer = payload(&[0, 8, 1, 2, 0]);
    let mut input = Decoder::new(buffer.as_bytes(), Some(&source));
    Right::decode(&mut input).unwrap();
    input.extension(|_| Ok(())).unwrap();
    assert!(error(Right::decode(&mut input)).ends_with("attachment 0 named, 1 comes next of 4"));
}

#[test]
fn every_kind_is_asked_for_by_its_name() {
    let buffer = payload(&[0, 1, 2, 3]);
    let source = Source { bytes: vec![1, 2, 3], ..Source::of(4) };
    let mut input = Decoder::new(buffer.as_bytes(), Some(&source));
    assert_eq!(input.right(RightKind::Receive).unwrap(), 100);
    input.memory().unwrap();
    assert_eq!(input.ool_bytes().unwrap(), [1, 2, 3]);
    input.right(RightKind::SendOnce).unwrap();
    input.finish().unwrap();
    assert_eq!(*source.asked.borrow(), ["Receive 0", "Memory 1", "Bytes 2", "SendOnce 3"]);
}

#[test]
fn a_message_has_one_reply() {
    let cell = RightCell::new(9);
    let mut buffer = AlignedBuffer::new();
    let mut out = Encoder::new(&mut buffer);
    out.reply(RightKind::SendOnce, &cell).unwrap();
    for error in [out.reply_wanted(), out.reply(RightKind::SendOnce, &cell)] {
        assert!(error.unwrap_err().to_string().contains("two replies"));
    }
    let encoded = out.finish();
    assert!(matches!(encoded.reply, ReplyPort::Right(RightKind::SendOnce, cell) if cell.get() == 9));
    assert!(encoded.attachments.is_empty());

    let source = Source { reply: true, ..Source::of(0) };
    let mut input = Decoder::new(&[], Some(&source));
    assert_eq!(input.take_reply().unwrap(), (RightKind::SendOnce, 7));
    assert!(error(input.take_reply()).contains("two replies"));
    for source in [None, Some(&Source::of(0) as &dyn AttachmentSource)] {
        assert!(error(Decoder::new(&[], source).take_reply()).contains("the message's header has none"));
    }
}
