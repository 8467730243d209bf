//! Round trips of every shape of type that the derive takes. The items are the golden files': as the macros get them, and as they leave
//! them, so that what a reader of the golden files sees is known to compile and to be the same on the wire.

mod derive_support;

use derive_support::Sent;
use machipc::MachMessage;
use machipc::message::Schema;

#[path = "../machipc-derive/tests/golden/generic.rs"]
mod generic;
#[allow(clippy::all, reason = "the macro's code, in which clippy does not look where it is generated")]
#[path = "../machipc-derive/tests/golden/generic.expanded.rs"]
mod generic_expanded;
#[path = "../machipc-derive/tests/golden/kv.rs"]
mod kv;
#[allow(clippy::all, reason = "the macro's code, in which clippy does not look where it is generated")]
#[path = "../machipc-derive/tests/golden/kv.expanded.rs"]
mod kv_expanded;
#[path = "../machipc-derive/tests/golden/messages.rs"]
mod messages;
#[allow(clippy::all, reason = "the macro's code, in which clippy does not look where it is generated")]
#[path = "../machipc-derive/tests/golden/messages.expanded.rs"]
mod messages_expanded;
#[path = "../machipc-derive/tests/golden/pod.rs"]
mod pod;
#[allow(clippy::all, reason = "the macro's code, in which clippy does not look where it is generated")]
#[path = "../machipc-derive/tests/golden/pod.expanded.rs"]
mod pod_expanded;
#[path = "../machipc-derive/tests/golden/service.rs"]
mod service;
#[allow(clippy::all, reason = "the macro's code, in which clippy does not look where it is generated")]
#[path = "../machipc-derive/tests/golden/service.expanded.rs"]
mod service_expanded;

macro_rules! round_trips {
    ($($value:expr => $type:ty;)*) => { $({
        let value: $type = $value;
        let sent = Sent::of(&value);
        assert_eq!(sent.receive::<$type>().expect(stringify!($value)), value);
    })* };
}

macro_rules! shapes {
    ($name:ident, $messages:ident, $generic:ident, $pod:ident) => {
        #[test]
        fn $name() {
            use $generic::{Keyed, Tagged};
            use $messages::{Blob, Pair, Ping, Put, Tree};
            use $pod::{Channel, Sample};
            use std::marker::PhantomData;

            let leaf = || Box::new(Tree::Leaf);
            let sample = Sample { time: 1 << 40, value: -0.5, channel: Channel::Right, flags: [1, 2, 3] };
            round_trips! {
                Put { key: "a", value: b"bcd", expires: Some(9), owner: "me" } => Put<'_>;
                Put { key: "", value: b"", expires: None, owner: "" } => Put<'_>;
                Pair(7, [("x".to_owned(), 1), ("y".to_owned(), 2)].into()) => Pair;
                Ping => Ping;
                Tree::Leaf => Tree;
                Tree::Value(i64::MIN) => Tree;
                Tree::Node { left: Box::new(Tree::Node { left: leaf(), right: leaf() }), right: leaf() } => Tree;
                Blob { name: "n".to_owned(), data: b"out of line" } => Blob<'_>;
                Tagged { tag: "t", values: ["p", "q"] } => Tagged<'_, &str>;
                Tagged { tag: "t", values: [vec![1u8], vec![], vec![2, 3]] } => Tagged<'_, Vec<u8>, 3>;
                Tagged { tag: "t", values: [Put { key: "k", value: b"v", expires: None, owner: "o" }] } => Tagged<'_, Put<'_>, 1>;
                Keyed::Keys([3, 1, 2].into()) => Keyed<u32, std::thread::ThreadId>;
                Keyed::Nothing(PhantomData) => Keyed<String, [std::thread::ThreadId]>;
                sample => Sample;
                Channel::Left => Channel;
            }
        }
    };
}

shapes!(every_shape_comes_back_as_it_was_sent, messages, generic, pod);
shapes!(every_shape_of_the_golden_files_does_too, messages_expanded, generic_expanded, pod_expanded);

#[test]
fn golden_files_describe_the_same_types() {
    macro_rules! same {
        ($($type:ident $(<$argument:ty>)?: $ours:ident $golden:ident;)*) => { $(
            assert_eq!(
                Schema::of::<$ours::$type$(<$argument>)?>().text(),
                Schema::of::<$golden::$type$(<$argument>)?>().text()
            );
        )* };
    }
    same! {
        Put: messages messages_expanded;
        Pair: messages messages_expanded;
        Ping: messages messages_expanded;
        Tree: messages messages_expanded;
        Blob: messages messages_expanded;
        Tagged<u8>: generic generic_expanded;
        Sample: pod pod_expanded;
        Kv: kv kv_expanded;
        StoreMessage: service service_expanded;
    }
    assert_eq!(kv::Kv::ENDPOINT, Some("com.example.golden.kv"));
    assert_eq!(kv::Kv::Clear.message_id(), kv_expanded::Kv::Clear.message_id());
}
