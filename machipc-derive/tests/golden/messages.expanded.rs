// Made from messages.rs by MACHIPC_RENEW_GOLDEN=1 cargo test -p machipc-derive

//! Structs of every shape, and an enum.
use std::collections::BTreeMap;
/// What is borrowed stays in the receive buffer.
#[derive(Debug, PartialEq)]
pub struct Put<'a> {
    pub key: &'a str,
    pub value: &'a [u8],
    pub expires: Option<u64>,
    pub owner: &'a str,
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<'a> __rt::Encode for Put<'a> {
        const MIN_SIZE: __rt::usize =
            <&'a str as __rt::Field>::MIN_SIZE + <&'a [u8] as __rt::Field>::MIN_SIZE + 4;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.extensible::<Self>("Put", |__schema| {
                __schema.push("{key:");
                <&'a str as __rt::Field>::describe(__schema);
                __schema.push(",value:");
                <&'a [u8] as __rt::Field>::describe(__schema);
                __schema.push("}");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                <&'a str as __rt::Field>::put(&self.key, __out, "Put.key")?;
                <&'a [u8] as __rt::Field>::put(&self.value, __out, "Put.value")?;
                __out.extension(|__out| {
                    <Option<u64> as __rt::Field>::put(&self.expires, __out, "Put.expires")?;
                    <&'a str as __rt::Field>::put(&self.owner, __out, "Put.owner")?;
                    __rt::Ok(())
                })?;
                __rt::Ok(())
            })
        }
    }
    #[automatically_derived]
    impl<'de: 'a, 'a> __rt::Decode<'de> for Put<'a> {
        #[inline(always)]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __input.enter()?;
            let __outcome = {
                let __key = <&'a str as __rt::Field>::take(__input, "Put.key")?;
                let __value = <&'a [u8] as __rt::Field>::take(__input, "Put.value")?;
                let (__expires, __owner) = __input.extension(|__input| {
                    __rt::Ok((
                        <Option<u64> as __rt::Field>::take_since(__input, "Put.expires", || {
                            <Option<u64> as ::core::default::Default>::default()
                        })?,
                        <&'a str as __rt::Field>::take_since(__input, "Put.owner", || owner())?,
                    ))
                })?;
                __rt::Ok(Self { key: __key, value: __value, expires: __expires, owner: __owner })
            };
            __input.leave();
            __outcome
        }
    }
    #[automatically_derived]
    impl<'a> __rt::MachMessage for Put<'a> {
        type View<'v> = Put<'v>;
    }
};
fn owner() -> &'static str {
    "nobody"
}
#[derive(Debug, PartialEq)]
pub struct Pair(pub u32, pub BTreeMap<String, u8>);
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl __rt::Encode for Pair {
        const MIN_SIZE: __rt::usize =
            <u32 as __rt::Field>::MIN_SIZE + <BTreeMap<String, u8> as __rt::Field>::MIN_SIZE;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Pair", |__schema| {
                __schema.push("(");
                <u32 as __rt::Field>::describe(__schema);
                __schema.push(",");
                <BTreeMap<String, u8> as __rt::Field>::describe(__schema);
                __schema.push(")");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                <u32 as __rt::Field>::put(&self.0, __out, "Pair.0")?;
                <BTreeMap<String, u8> as __rt::Field>::put(&self.1, __out, "Pair.1")?;
                __rt::Ok(())
            })
        }
    }
    #[automatically_derived]
    impl<'de> __rt::Decode<'de> for Pair {
        #[inline(always)]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __input.enter()?;
            let __outcome = {
                let __field_0 = <u32 as __rt::Field>::take(__input, "Pair.0")?;
                let __field_1 = <BTreeMap<String, u8> as __rt::Field>::take(__input, "Pair.1")?;
                __rt::Ok(Self(__field_0, __field_1))
            };
            __input.leave();
            __outcome
        }
    }
    #[automatically_derived]
    impl __rt::MachMessage for Pair {
        type View<'v> = Pair;
    }
};
#[derive(Debug, PartialEq)]
pub struct Ping;
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl __rt::Encode for Ping {
        const MIN_SIZE: __rt::usize = 0;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Ping", |__schema| {});
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| __rt::Ok(()))
        }
    }
    #[automatically_derived]
    impl<'de> __rt::Decode<'de> for Ping {
        #[inline(always)]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __input.enter()?;
            let __outcome = { __rt::Ok(Self) };
            __input.leave();
            __outcome
        }
    }
    #[automatically_derived]
    impl __rt::MachMessage for Ping {
        type View<'v> = Ping;
    }
};
#[derive(Debug, PartialEq)]
pub enum Tree {
    Leaf,
    Value(i64),
    Node { left: Box<Tree>, right: Box<Tree> },
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl __rt::Encode for Tree {
        const MIN_SIZE: __rt::usize = 4;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Tree", |__schema| {
                __schema.push("<0:Leaf;1:Value(");
                <i64 as __rt::Field>::describe(__schema);
                __schema.push(");7{left:");
                <Box<Tree> as __rt::Field>::describe(__schema);
                __schema.push(",right:");
                <Box<Tree> as __rt::Field>::describe(__schema);
                __schema.push("};>");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                match self {
                    Self::Leaf => {
                        __rt::put_tag(__out, 0);
                    }
                    Self::Value(__field_0) => {
                        __rt::put_tag(__out, 1);
                        <i64 as __rt::Field>::put(__field_0, __out, "Tree::Value.0")?;
                    }
                    Self::Node { left: __left, right: __right } => {
                        __rt::put_tag(__out, 7);
                        <Box<Tree> as __rt::Field>::put(__left, __out, "Tree::Node.left")?;
                        <Box<Tree> as __rt::Field>::put(__right, __out, "Tree::Node.right")?;
                    }
                }
                __rt::Ok(())
            })
        }
    }
    #[automatically_derived]
    impl<'de> __rt::Decode<'de> for Tree {
        #[inline(always)]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __input.enter()?;
            let __outcome = {
                match __rt::take_tag(__input)? {
                    0 => __rt::Ok(Self::Leaf),
                    1 => {
                        let __field_0 = <i64 as __rt::Field>::take(__input, "Tree::Value.0")?;
                        __rt::Ok(Self::Value(__field_0))
                    }
                    7 => {
                        let __left = <Box<Tree> as __rt::Field>::take(__input, "Tree::Node.left")?;
                        let __right = <Box<Tree> as __rt::Field>::take(__input, "Tree::Node.right")?;
                        __rt::Ok(Self::Node { left: __left, right: __right })
                    }
                    __tag => __rt::Err(__rt::DecodeError::unknown_tag("Tree", __tag)),
                }
            };
            __input.leave();
            __outcome
        }
    }
    #[automatically_derived]
    impl __rt::MachMessage for Tree {
        type View<'v> = Tree;
    }
};
#[derive(Debug, PartialEq)]
pub struct Blob<'a> {
    pub name: String,
    pub data: &'a [u8],
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<'a> __rt::Encode for Blob<'a> {
        const MIN_SIZE: __rt::usize =
            <String as __rt::Field>::MIN_SIZE + <&'a [u8] as __rt::OutOfLine>::MIN_SIZE;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Blob", |__schema| {
                __schema.push("{name:");
                <String as __rt::Field>::describe(__schema);
                __schema.push(",data:");
                <&'a [u8] as __rt::OutOfLine>::describe(__schema);
                __schema.push("}");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                <String as __rt::Field>::put(&self.name, __out, "Blob.name")?;
                <&'a [u8] as __rt::OutOfLine>::put(&self.data, __out, "Blob.data")?;
                __rt::Ok(())
            })
        }
    }
    #[automatically_derived]
    impl<'de: 'a, 'a> __rt::Decode<'de> for Blob<'a> {
        #[inline(always)]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __input.enter()?;
            let __outcome = {
                let __name = <String as __rt::Field>::take(__input, "Blob.name")?;
                let __data = <&'a [u8] as __rt::OutOfLine>::take(__input, "Blob.data")?;
                __rt::Ok(Self { name: __name, data: __data })
            };
            __input.leave();
            __outcome
        }
    }
    #[automatically_derived]
    impl<'a> __rt::MachMessage for Blob<'a> {
        type View<'v> = Blob<'v>;
    }
};
