//! Values to bytes and back, on one thread: a struct of numbers, a short text and an array, beside other codecs, each with buffers
//! that it reuses. Every value that comes back is compared with the one that went in.

use std::hint::black_box;

use machipc::MachMessage;
use machipc::message::{AlignedBuffer, Decoder, Encoder, PLAIN_ID};
use zerocopy::{IntoBytes, TryFromBytes};

use crate::Outcome;
use crate::solo::{Done, Group, HostCpu, Way};

pub const ENCODE: Group = Group {
    title: "codec: {u64, u32, 3 \u{d7} f64, text of 12, 8 \u{d7} u32} to bytes",
    one_thread: true,
    ways: &[
        Way { name: "machipc", waits: "", run: machipc_encode },
        Way { name: "machipc, plain data", waits: "", run: plain_encode },
        Way { name: "memcpy", waits: "", run: memcpy },
        Way { name: "rkyv", waits: "", run: rkyv_encode },
        Way { name: "bincode, fixed", waits: "", run: bincode_encode },
        Way { name: "postcard", waits: "", run: postcard_encode },
    ],
};

pub const BORROW: Group = Group {
    title: "codec: bytes to the same, borrowed and checked",
    one_thread: true,
    ways: &[
        Way { name: "machipc", waits: "", run: machipc_borrow },
        Way { name: "machipc, plain data", waits: "", run: plain_borrow },
        Way { name: "rkyv, access", waits: "", run: rkyv_access },
        Way { name: "bincode, fixed", waits: "", run: bincode_borrow },
        Way { name: "postcard", waits: "", run: postcard_borrow },
    ],
};

pub const OWN: Group = Group {
    title: "codec: bytes to the same, owned",
    one_thread: true,
    ways: &[
        Way { name: "machipc", waits: "", run: machipc_own },
        Way { name: "rkyv", waits: "", run: rkyv_own },
        Way { name: "bincode, fixed", waits: "", run: bincode_own },
        Way { name: "postcard", waits: "", run: postcard_own },
    ],
};

#[derive(
    MachMessage,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    bincode::Encode,
    bincode::Decode,
    serde::Serialize,
    serde::Deserialize,
    Clone,
    PartialEq,
    Debug,
)]
struct Order {
    id: u64,
    kind: u32,
    at: [f64; 3],
    name: String,
    levels: [u32; 8],
}

/// The same, all that is larger than a number borrowed.
#[derive(MachMessage)]
struct OrderRef<'a> {
    id: u64,
    kind: u32,
    at: &'a [f64; 3],
    name: &'a str,
    levels: &'a [u32; 8],
}

/// The same, its text borrowed: others borrow nothing else.
#[derive(bincode::BorrowDecode, serde::Deserialize)]
#[allow(dead_code, reason = "two fields tell that it is right")]
struct TextRef<'a> {
    id: u64,
    kind: u32,
    at: [f64; 3],
    name: &'a str,
    levels: [u32; 8],
}

/// The same, its text of fixed size.
#[machipc::pod]
#[derive(Clone, PartialEq)]
struct PlainOrder {
    id: u64,
    at: [f64; 3],
    kind: u32,
    levels: [u32; 8],
    name: [u8; 12],
}

const NAME: &str = "twelve bytes";
const LEVELS: [u32; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn order(id: u64) -> Order {
    Order { id, kind: 3, at: [1.5, -2.5, 3.5], name: NAME.to_owned(), levels: LEVELS }
}

fn plain(id: u64) -> PlainOrder {
    let Order { kind, at, name, levels, .. } = order(id);
    PlainOrder { id, at, kind, levels, name: name.as_bytes().try_into().unwrap_or_default() }
}

/// Calls `write` so many times with an order that is another each time.
fn encoded(count: u64, mut write: impl FnMut(&Order) -> Outcome) -> Outcome<u64> {
    let mut order = order(0);
    for id in 0..count {
        order.id = id;
        write(black_box(&order))?;
    }
    Ok(count)
}

/// Calls `read` so many times, and counts how often it says that it has read the order.
fn decoded(count: u64, mut read: impl FnMut() -> Outcome<bool>) -> Outcome<Done> {
    let mut right = 0;
    for _ in 0..count {
        right += u64::from(read()?);
    }
    Ok(right.into())
}

/// The order that is read again and again.
const ID: u64 = 0x1234_5678_9abc;

/// Compares the numbers at both ends and the text's length: comparing all would cost more than reading it.
#[inline(always)]
fn is_right(id: u64, name: &str, levels: &[u32; 8]) -> bool {
    id == ID && name.len() == NAME.len() && levels[7] == LEVELS[7]
}

fn machipc_bytes() -> Outcome<AlignedBuffer> {
    let mut buffer = AlignedBuffer::new();
    let order = order(ID);
    let mut out = Encoder::new(&mut buffer);
    order.encode_payload(&mut out)?;
    out.finish();
    Ok(buffer)
}

fn machipc_encode(count: u64, _: HostCpu) -> Outcome<Done> {
    let mut buffer = AlignedBuffer::new();
    let right = encoded(count, |order| {
        buffer.clear();
        let mut out = Encoder::new(&mut buffer);
        order.encode_payload(&mut out)?;
        out.finish();
        black_box(&mut buffer);
        Ok(())
    })?;
    let last = Order::decode_payload(PLAIN_ID, &mut Decoder::new(buffer.as_bytes(), None))?;
    Ok(if last == order(count - 1) { right } else { 0 }.into())
}

fn machipc_borrow(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = machipc_bytes()?;
    decoded(count, || {
        let mut input = Decoder::new(black_box(bytes.as_bytes()), None);
        let order = black_box(OrderRef::decode_payload(PLAIN_ID, &mut input)?);
        input.finish()?;
        Ok(is_right(order.id, order.name, order.levels))
    })
}

fn machipc_own(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = machipc_bytes()?;
    decoded(count, || {
        let mut input = Decoder::new(black_box(bytes.as_bytes()), None);
        let order = black_box(Order::decode_payload(PLAIN_ID, &mut input)?);
        input.finish()?;
        Ok(is_right(order.id, &order.name, &order.levels))
    })
}

fn plain_encode(count: u64, _: HostCpu) -> Outcome<Done> {
    let (mut buffer, mut order) = (AlignedBuffer::new(), plain(0));
    for id in 0..count {
        order.id = id;
        buffer.clear();
        let mut out = Encoder::new(&mut buffer);
        black_box(&order).encode_payload(&mut out)?;
        out.finish();
        black_box(&mut buffer);
    }
    let last = PlainOrder::try_read_from_bytes(buffer.as_bytes()).map_err(|_| "no order")?;
    Ok(if last == order { count } else { 0 }.into())
}

fn plain_borrow(count: u64, _: HostCpu) -> Outcome<Done> {
    let mut buffer = AlignedBuffer::new();
    let order = plain(ID);
    let mut out = Encoder::new(&mut buffer);
    order.encode_payload(&mut out)?;
    out.finish();
    decoded(count, || {
        let mut input = Decoder::new(black_box(buffer.as_bytes()), None);
        let order = black_box(<&PlainOrder>::decode_payload(PLAIN_ID, &mut input)?);
        input.finish()?;
        Ok(order.id == ID && order.levels[7] == LEVELS[7] && order.name[0] == b't')
    })
}

/// What plain data costs at least.
fn memcpy(count: u64, _: HostCpu) -> Outcome<Done> {
    let (mut buffer, mut order) = ([0; size_of::<PlainOrder>()], plain(0));
    for id in 0..count {
        order.id = id;
        buffer.copy_from_slice(black_box(&order).as_bytes());
        black_box(&mut buffer);
    }
    Ok(if buffer == order.as_bytes() { count } else { 0 }.into())
}

type Failure = rkyv::rancor::Error;

fn rkyv_encode(count: u64, _: HostCpu) -> Outcome<Done> {
    let mut buffer = rkyv::util::AlignedVec::<16>::new();
    let right = encoded(count, |order| {
        let mut bytes = std::mem::take(&mut buffer);
        bytes.clear();
        buffer = black_box(rkyv::api::high::to_bytes_in::<_, Failure>(order, bytes)?);
        Ok(())
    })?;
    let last: Order = rkyv::from_bytes::<Order, Failure>(&buffer)?;
    Ok(if last == order(count - 1) { right } else { 0 }.into())
}

fn rkyv_access(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = rkyv::to_bytes::<Failure>(&order(ID))?;
    decoded(count, || {
        let order = black_box(rkyv::access::<ArchivedOrder, Failure>(black_box(&bytes))?);
        Ok(order.id == ID && order.name.len() == NAME.len() && order.levels[7] == LEVELS[7])
    })
}

fn rkyv_own(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = rkyv::to_bytes::<Failure>(&order(ID))?;
    decoded(count, || {
        let order = black_box(rkyv::from_bytes::<Order, Failure>(black_box(&bytes))?);
        Ok(is_right(order.id, &order.name, &order.levels))
    })
}

fn fixed() -> impl bincode::config::Config {
    bincode::config::standard().with_fixed_int_encoding()
}

fn bincode_encode(count: u64, _: HostCpu) -> Outcome<Done> {
    let (mut buffer, mut len) = ([0; 256], 0);
    let right = encoded(count, |order| {
        len = bincode::encode_into_slice(order, &mut buffer, fixed())?;
        black_box(&mut buffer);
        Ok(())
    })?;
    let (last, _): (Order, usize) = bincode::decode_from_slice(&buffer[..len], fixed())?;
    Ok(if last == order(count - 1) { right } else { 0 }.into())
}

fn bincode_borrow(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = bincode::encode_to_vec(order(ID), fixed())?;
    decoded(count, || {
        let (order, _) = bincode::borrow_decode_from_slice::<TextRef<'_>, _>(black_box(&bytes), fixed())?;
        let order = black_box(order);
        Ok(is_right(order.id, order.name, &order.levels))
    })
}

fn bincode_own(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = bincode::encode_to_vec(order(ID), fixed())?;
    decoded(count, || {
        let (order, _) = bincode::decode_from_slice::<Order, _>(black_box(&bytes), fixed())?;
        let order = black_box(order);
        Ok(is_right(order.id, &order.name, &order.levels))
    })
}

fn postcard_encode(count: u64, _: HostCpu) -> Outcome<Done> {
    let (mut buffer, mut len) = ([0; 256], 0);
    let right = encoded(count, |order| {
        len = black_box(postcard::to_slice(order, &mut buffer)?).len();
        Ok(())
    })?;
    let last: Order = postcard::from_bytes(&buffer[..len])?;
    Ok(if last == order(count - 1) { right } else { 0 }.into())
}

fn postcard_borrow(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = postcard::to_stdvec(&order(ID))?;
    decoded(count, || {
        let order = black_box(postcard::from_bytes::<TextRef<'_>>(black_box(&bytes))?);
        Ok(is_right(order.id, order.name, &order.levels))
    })
}

fn postcard_own(count: u64, _: HostCpu) -> Outcome<Done> {
    let bytes = postcard::to_stdvec(&order(ID))?;
    decoded(count, || {
        let order = black_box(postcard::from_bytes::<Order>(black_box(&bytes))?);
        Ok(is_right(order.id, &order.name, &order.levels))
    })
}
