//! That it compiles is most of the test; this is the rest.

use ::std::prelude::v1::{Ok, test};
use ::std::{assert, assert_eq, matches, vec};

use ::ipc::message::{AlignedBuffer, Decode, Decoder, Encode, Encoder, MachMessage};

use crate::endpoint_names::Endpoint;
use crate::names::Variants;
use crate::{Kv, Sample};

fn payload<'b, T: Encode>(value: &T, buffer: &'b mut AlignedBuffer) -> &'b [u8] {
    let mut out = Encoder::new(buffer);
    value.encode(&mut out).expect("it can be sent");
    out.finish();
    buffer.as_bytes()
}

#[test]
fn hostile_names_change_nothing() {
    let mut buffer = AlignedBuffer::new();
    let bytes = payload(&Variants::Some { id: 1, __id: 2, __schema: 3 }, &mut buffer);
    assert_eq!(bytes, [2, 0, 0, 0, 1, 2, 3]);
    let read = Variants::decode(&mut Decoder::new(bytes, ::std::option::Option::None));
    assert!(matches!(read, Ok(Variants::Some { id: 1, __id: 2, __schema: 3 })));

    type Own<'a> = Endpoint<'a, 'a, u64>;
    assert_eq!(Own::Self_.message_id(), Endpoint::<u8>::Self_.message_id());
    assert_eq!(<Own<'_> as MachMessage>::ENDPOINT, ::std::option::Option::Some("com.example.hygiene.names"));
}

#[test]
fn plain_data_needs_no_zerocopy_of_its_own() {
    let mut buffer = AlignedBuffer::new();
    let samples = vec![Sample { number: 1, kind: [2; 8] }; 2];
    let bytes = payload(&samples, &mut buffer);
    let borrowed = <&[Sample]>::decode(&mut Decoder::new(bytes, ::std::option::Option::None));
    assert_eq!(borrowed.expect("plain data can be borrowed"), samples);
    assert_eq!(Kv::Clear.message_id(), 0x44a5_7fc2);
}
