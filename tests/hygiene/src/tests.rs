//! That it compiles is most of the test; this is the rest.

use ::std::prelude::v1::{Ok, test};
use ::std::{assert, assert_eq, matches, vec};

use ::ipc::message::{AlignedBuffer, Decode, Decoder, Encode, Encoder, MachMessage};

use crate::endpoint_names::Endpoint;
use crate::names::Variants;
use crate::service::{T, TMessage, TServer};
use crate::{Kv, Sample, Store, StoreMessage, StoreServer};

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

struct Implementation;

impl T for Implementation {
    fn ok(&self, key: &str, _: &[u8], cx: u8, ctx: &::ipc::Context) -> u8 {
        assert!(ctx.is_local());
        cx + key.parse::<u8>().expect("a number")
    }
    fn r#type(&self, _: u8, _: u8, _: u8) {}
    fn self_(&self) {}
}

impl Store for Implementation {
    fn get(&self, key: &str) -> ::std::option::Option<::std::string::String> {
        ::std::option::Option::Some(::std::borrow::ToOwned::to_owned(key))
    }
    fn clear(&self) {}
    fn here(&self, _: &::std::path::Path) {}
}

#[test]
fn methods_are_called_whatever_their_parameters_are_called() {
    let host = ::ipc::Host::<TMessage<'_>>::builder().unnamed().bind(TServer::new(Implementation).handler());
    let host = host.expect("a host starts");
    assert_eq!(
        crate::service::TClient::from_client(host.client()).ok("3", b"", 4).ok(),
        ::std::option::Option::Some(7)
    );

    let host =
        ::ipc::Host::<StoreMessage<'_>>::builder().unnamed().bind(StoreServer::new(Implementation).handler());
    let store = crate::StoreClient::from_client(host.expect("a host starts").client());
    let gone = store.here(::std::path::Path::new("/"));
    assert!(matches!(gone, ::std::result::Result::Err(::ipc::Error::HostDied { .. })));
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
