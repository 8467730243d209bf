//! Values to bytes and back. What comes back is compared with what went in. Beside other codecs: `benches/compare`.

use std::hint::black_box;

use criterion::Criterion;
use machipc::MachMessage;
use machipc::message::{AlignedBuffer, Decoder, Encoder, PLAIN_ID};
use zerocopy::IntoBytes;

#[machipc::pod]
#[derive(Clone, PartialEq, Debug)]
struct Plain {
    id: u64,
    at: [f64; 3],
    levels: [u32; 8],
}

#[derive(MachMessage, Clone, PartialEq, Debug)]
struct Order {
    id: u64,
    kind: u32,
    at: [f64; 3],
    name: String,
    levels: [u32; 8],
}

#[derive(MachMessage, PartialEq, Debug)]
struct OrderRef<'a> {
    id: u64,
    kind: u32,
    at: &'a [f64; 3],
    name: &'a str,
    levels: &'a [u32; 8],
}

fn order(id: u64) -> Order {
    let name = "twelve bytes".to_owned();
    Order { id, kind: 3, at: [1.5, -2.5, 3.5], name, levels: [1, 2, 3, 4, 5, 6, 7, 8] }
}

#[inline(always)]
fn encode<M: MachMessage>(message: &M, buffer: &mut AlignedBuffer) {
    buffer.clear();
    let mut out = Encoder::new(buffer);
    message.encode_payload(&mut out).expect("it can be encoded");
    out.finish();
}

#[inline(always)]
fn decode<M: MachMessage>(buffer: &AlignedBuffer) -> M::View<'_> {
    let mut input = Decoder::new(buffer.as_bytes(), None);
    let message = M::decode_payload(PLAIN_ID, &mut input).expect("what was encoded");
    input.finish().expect("all of it");
    message
}

/// Both ways for a type that owns what it has.
fn both<M>(c: &mut Criterion, name: &str, message: &M)
where
    M: for<'a> MachMessage<View<'a> = M> + PartialEq + std::fmt::Debug,
{
    let mut buffer = AlignedBuffer::new();
    c.bench_function(&format!("encode {name}"), |b| {
        b.iter(|| {
            encode(black_box(message), &mut buffer);
            black_box(&mut buffer);
        });
    });
    encode(message, &mut buffer);
    assert_eq!(decode::<M>(&buffer), *message);
    c.bench_function(&format!("decode {name}"), |b| b.iter(|| black_box(decode::<M>(black_box(&buffer)))));
}

fn codec(c: &mut Criterion) {
    let plain = Plain { id: 7, at: [1.5, -2.5, 3.5], levels: [1, 2, 3, 4, 5, 6, 7, 8] };
    both(c, "plain data", &plain);
    let mut copy = AlignedBuffer::with_capacity(size_of::<Plain>());
    copy.set_len(size_of::<Plain>());
    c.bench_function("memcpy of plain data", |b| {
        b.iter(|| {
            copy.as_mut_bytes().copy_from_slice(black_box(&plain).as_bytes());
            black_box(&mut copy);
        });
        assert_eq!(copy.as_bytes(), plain.as_bytes());
    });
    encode(&plain, &mut copy);
    c.bench_function("decode plain data, borrowed", |b| {
        b.iter(|| black_box(decode::<&Plain>(black_box(&copy))));
    });

    let owned = order(9);
    both(c, "a struct", &owned);
    let mut buffer = AlignedBuffer::new();
    encode(&owned, &mut buffer);
    let borrowed = decode::<OrderRef<'_>>(&buffer);
    assert_eq!((borrowed.id, borrowed.name, borrowed.levels), (9, &owned.name[..], &owned.levels));
    c.bench_function("decode a struct, borrowed", |b| {
        b.iter(|| black_box(decode::<OrderRef<'_>>(black_box(&buffer))));
    });

    both(c, "1000 numbers", &(0..1000u32).collect::<Vec<_>>());
    both(c, "100 texts", &(0..100).map(|number| format!("text {number}")).collect::<Vec<_>>());
    both(c, "100 structs", &(0..100).map(order).collect::<Vec<_>>());
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    codec(&mut criterion);
    criterion.final_summary();
}
