// Made from generic.rs by MACHIPC_RENEW_GOLDEN=1 cargo test -p machipc-derive

//! Parameters of every kind.
use std::marker::PhantomData;
/// `T` may borrow: `Tagged<&str>` is a message.
#[derive(Debug, PartialEq)]
pub struct Tagged<'a, T, const N: usize = 2> {
    pub tag: &'a str,
    pub values: [T; N],
}
#[allow(deprecated, elided_lifetimes_in_paths)]
#[allow(clippy::multiple_bound_locations)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<'a, T, const N: usize> __rt::Encode for Tagged<'a, T, N>
    where
        T: __rt::Encode,
    {
        const MIN_SIZE: __rt::usize = <&'a str as __rt::Field>::MIN_SIZE + <[T; N] as __rt::Part>::MIN_SIZE;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Tagged", |__schema| {
                __schema.push("{tag:");
                <&'a str as __rt::Field>::describe(__schema);
                __schema.push(",values:");
                <[T; N] as __rt::Part>::describe(__schema);
                __schema.push("}");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                <&'a str as __rt::Field>::put(&self.tag, __out, "Tagged.tag")?;
                <[T; N] as __rt::Part>::put(&self.values, __out, "Tagged.values")?;
                __rt::Ok(())
            })
        }
    }
    #[automatically_derived]
    impl<'de: 'a, 'a, T, const N: usize> __rt::Decode<'de> for Tagged<'a, T, N>
    where
        T: __rt::Decode<'de>,
    {
        #[inline(always)]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __input.enter()?;
            let __outcome = {
                let __tag = <&'a str as __rt::Field>::take(__input, "Tagged.tag")?;
                let __values = <[T; N] as __rt::Field>::take(__input, "Tagged.values")?;
                __rt::Ok(Self { tag: __tag, values: __values })
            };
            __input.leave();
            __outcome
        }
    }
    #[automatically_derived]
    impl<'a, T, const N: usize> __rt::MachMessage for Tagged<'a, T, N>
    where
        T: __rt::MachMessage,
    {
        type View<'v> = Tagged<'v, T::View<'v>, N>;
    }
};
/// `K` is bounded, so it is owned; `M` is in no message.
#[derive(Debug, PartialEq)]
pub enum Keyed<K: Ord, M: ?Sized> {
    Keys(std::collections::BTreeSet<K>),
    Nothing(PhantomData<M>),
}
#[allow(deprecated, elided_lifetimes_in_paths)]
#[allow(clippy::multiple_bound_locations)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<K: Ord, M: ?Sized> __rt::Encode for Keyed<K, M>
    where
        K: __rt::Encode,
    {
        const MIN_SIZE: __rt::usize = 4;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Keyed", |__schema| {
                __schema.push("<0:Keys(");
                <std::collections::BTreeSet<K> as __rt::Part>::describe(__schema);
                __schema.push(");1:Nothing(");
                <PhantomData<M> as __rt::Part>::describe(__schema);
                __schema.push(");>");
            });
        }
        #[inline]
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                match self {
                    Self::Keys(__field_0) => {
                        __rt::put_tag(__out, 0);
                        <std::collections::BTreeSet<K> as __rt::Part>::put(
                            __field_0,
                            __out,
                            "Keyed::Keys.0",
                        )?;
                    }
                    Self::Nothing(__field_0) => {
                        __rt::put_tag(__out, 1);
                        <PhantomData<M> as __rt::Part>::put(__field_0, __out, "Keyed::Nothing.0")?;
                    }
                }
                __rt::Ok(())
            })
        }
    }
    #[automatically_derived]
    impl<'de, K: Ord, M: ?Sized> __rt::Decode<'de> for Keyed<K, M>
    where
        K: __rt::Decode<'de>,
    {
        #[inline(always)]
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __input.enter()?;
            let __outcome = {
                match __rt::take_tag(__input)? {
                    0 => {
                        let __field_0 =
                            <std::collections::BTreeSet<K> as __rt::Field>::take(__input, "Keyed::Keys.0")?;
                        __rt::Ok(Self::Keys(__field_0))
                    }
                    1 => {
                        let __field_0 = <PhantomData<M> as __rt::Field>::take(__input, "Keyed::Nothing.0")?;
                        __rt::Ok(Self::Nothing(__field_0))
                    }
                    __tag => __rt::Err(__rt::DecodeError::unknown_tag("Keyed", __tag)),
                }
            };
            __input.leave();
            __outcome
        }
    }
    #[automatically_derived]
    impl<K: Ord, M: ?Sized> __rt::MachMessage for Keyed<K, M>
    where
        K: for<'__any> __rt::Decode<'__any> + 'static,
        M: 'static,
    {
        type View<'v> = Keyed<K, M>;
    }
};
