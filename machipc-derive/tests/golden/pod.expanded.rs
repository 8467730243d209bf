// Made from pod.rs by MACHIPC_RENEW_GOLDEN=1 cargo test -p machipc-derive

//! Plain data.
#[derive(
    ::machipc::zerocopy::TryFromBytes,
    ::machipc::zerocopy::IntoBytes,
    ::machipc::zerocopy::KnownLayout,
    ::machipc::zerocopy::Immutable,
)]
#[zerocopy(crate = "::machipc::zerocopy")]
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub time: u64,
    pub value: f32,
    pub channel: Channel,
    pub flags: [u8; 3],
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    const _: () = __rt::assert_no_padding(
        __rt::offset_of!(Sample, value) - __rt::offset_of!(Sample, time) - __rt::size_of::<u64>(),
        "Sample.time",
    );
    const _: () = __rt::assert_no_padding(
        __rt::offset_of!(Sample, channel) - __rt::offset_of!(Sample, value) - __rt::size_of::<f32>(),
        "Sample.value",
    );
    const _: () = __rt::assert_no_padding(
        __rt::offset_of!(Sample, flags) - __rt::offset_of!(Sample, channel) - __rt::size_of::<Channel>(),
        "Sample.channel",
    );
    const _: () = __rt::assert_no_padding(
        __rt::size_of::<Sample>() - __rt::offset_of!(Sample, flags) - __rt::size_of::<[u8; 3]>(),
        "Sample.flags",
    );
    #[automatically_derived]
    impl __rt::DerivedPod for Sample {}
    #[automatically_derived]
    impl __rt::Encode for Sample {
        const MIN_SIZE: __rt::usize = __rt::size_of::<Self>();
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Sample", |__schema| {
                __rt::describe_layout::<Self>(__schema);
                __schema.push("{time:");
                <u64 as __rt::PodField>::describe(__schema);
                __schema.push(",value:");
                <f32 as __rt::PodField>::describe(__schema);
                __schema.push(",channel:");
                <Channel as __rt::PodField>::describe(__schema);
                __schema.push(",flags:");
                <[u8; 3] as __rt::PodField>::describe(__schema);
                __schema.push("}");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            <Sample as __rt::PlainData>::put(self, __out)
        }
        #[inline]
        fn encode_slice<'m>(
            __values: &'m [Self],
            __out: &mut __rt::Encoder<'m>,
        ) -> __rt::Result<(), __rt::EncodeError> {
            <Sample as __rt::PlainData>::put_slice(__values, __out)
        }
    }
    #[automatically_derived]
    impl<'de> __rt::Decode<'de> for Sample {
        #[inline]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            <Sample as __rt::PlainData>::take(__input)
        }
        #[inline]
        fn decode_vec(
            __count: __rt::usize,
            __input: &mut __rt::Decoder<'de>,
        ) -> __rt::Result<__rt::Vec<Self>, __rt::DecodeError> {
            <Sample as __rt::PlainData>::take_vec(__count, __input)
        }
        #[inline]
        fn decode_array<const __N: __rt::usize>(
            __input: &mut __rt::Decoder<'de>,
        ) -> __rt::Result<[Self; __N], __rt::DecodeError> {
            <Sample as __rt::PlainData>::take_array(__input)
        }
    }
    #[automatically_derived]
    impl __rt::MachMessage for Sample {
        type View<'v> = Sample;
    }
};
#[derive(
    ::machipc::zerocopy::TryFromBytes,
    ::machipc::zerocopy::IntoBytes,
    ::machipc::zerocopy::KnownLayout,
    ::machipc::zerocopy::Immutable,
)]
#[zerocopy(crate = "::machipc::zerocopy")]
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Channel {
    Left = 1,
    Right,
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl __rt::DerivedPod for Channel {}
    #[automatically_derived]
    impl __rt::Encode for Channel {
        const MIN_SIZE: __rt::usize = __rt::size_of::<Self>();
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Channel", |__schema| {
                __rt::describe_layout::<Self>(__schema);
                __schema.push("<Left=");
                __rt::describe_number(__schema, Self::Left as __rt::i128);
                __schema.push(";Right=");
                __rt::describe_number(__schema, Self::Right as __rt::i128);
                __schema.push(";>");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            <Channel as __rt::PlainData>::put(self, __out)
        }
        #[inline]
        fn encode_slice<'m>(
            __values: &'m [Self],
            __out: &mut __rt::Encoder<'m>,
        ) -> __rt::Result<(), __rt::EncodeError> {
            <Channel as __rt::PlainData>::put_slice(__values, __out)
        }
    }
    #[automatically_derived]
    impl<'de> __rt::Decode<'de> for Channel {
        #[inline]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            <Channel as __rt::PlainData>::take(__input)
        }
        #[inline]
        fn decode_vec(
            __count: __rt::usize,
            __input: &mut __rt::Decoder<'de>,
        ) -> __rt::Result<__rt::Vec<Self>, __rt::DecodeError> {
            <Channel as __rt::PlainData>::take_vec(__count, __input)
        }
        #[inline]
        fn decode_array<const __N: __rt::usize>(
            __input: &mut __rt::Decoder<'de>,
        ) -> __rt::Result<[Self; __N], __rt::DecodeError> {
            <Channel as __rt::PlainData>::take_array(__input)
        }
    }
    #[automatically_derived]
    impl __rt::MachMessage for Channel {
        type View<'v> = Channel;
    }
};
