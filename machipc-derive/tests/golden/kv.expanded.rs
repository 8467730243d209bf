// Made from kv.rs by MACHIPC_RENEW_GOLDEN=1 cargo test -p machipc-derive

//! An endpoint.
use machipc::Reply;
#[derive(Debug, PartialEq)]
pub struct Put<'a> {
    pub key: &'a str,
    pub value: &'a [u8],
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<'a> __rt::Encode for Put<'a> {
        const MIN_SIZE: __rt::usize =
            <&'a str as __rt::Field>::MIN_SIZE + <&'a [u8] as __rt::Field>::MIN_SIZE;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Put", |__schema| {
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
                __rt::Ok(Self { key: __key, value: __value })
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
/// A store of values by name.
#[derive(Debug)]
pub enum Kv<'a> {
    /// Stores a value.
    Put(Put<'a>),
    /// Finds a value.
    Get {
        key: &'a str,
        reply: Reply<Option<Vec<u8>>>,
    },
    Load {
        name: String,
        data: Vec<u8>,
    },
    Move(u32, &'a str, Reply<bool>),
    Clear,
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<'a> __rt::Encode for Kv<'a> {
        const MIN_SIZE: __rt::usize = 8;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Kv", |__schema| {
                __schema.push("<#0x40000001;Put(");
                <Put<'a> as __rt::Field>::describe_last(__schema);
                __schema.push(");Load{name:");
                <String as __rt::Field>::describe(__schema);
                __schema.push(",data:");
                <Vec<u8> as __rt::OutOfLine>::describe_last(__schema);
                __schema.push("};Get{reply:");
                <Option<Vec<u8>> as __rt::Answer>::describe(__schema);
                __schema.push(",key:");
                <&'a str as __rt::Field>::describe_last(__schema);
                __schema.push("};Move(");
                <bool as __rt::Answer>::describe(__schema);
                __schema.push(",");
                <u32 as __rt::Field>::describe(__schema);
                __schema.push(",");
                <&'a str as __rt::Field>::describe_last(__schema);
                __schema.push(");>");
            });
        }
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __rt::put_endpoint(self, __out)
        }
    }
    #[automatically_derived]
    impl<'de: 'a, 'a> __rt::Decode<'de> for Kv<'a> {
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __rt::take_endpoint(__input, __decode_variant)
        }
    }
    #[inline]
    fn __decode_variant<'de: 'a, 'a>(
        __id: __rt::i32,
        __input: &mut __rt::Decoder<'de>,
    ) -> __rt::Result<Kv<'a>, __rt::DecodeError> {
        __input.nested(|__input| match __id {
            0x4e792d8e => {
                let __field_0 = <Put<'a> as __rt::Field>::take(__input, "Kv::Put.0")?;
                __rt::Ok(Kv::Put(__field_0))
            }
            0x76973ef7 => {
                let __reply = <Option<Vec<u8>> as __rt::Answer>::take(__input, "Kv::Get.reply")?;
                let __key = <&'a str as __rt::Field>::take(__input, "Kv::Get.key")?;
                __rt::Ok(Kv::Get { key: __key, reply: __reply })
            }
            0x68afa209 => {
                let __name = <String as __rt::Field>::take(__input, "Kv::Load.name")?;
                let __data = <Vec<u8> as __rt::OutOfLine>::take(__input, "Kv::Load.data")?;
                __rt::Ok(Kv::Load { name: __name, data: __data })
            }
            0x7f2c2a34 => {
                let __field_2 = <bool as __rt::Answer>::take(__input, "Kv::Move.2")?;
                let __field_0 = <u32 as __rt::Field>::take(__input, "Kv::Move.0")?;
                let __field_1 = <&'a str as __rt::Field>::take(__input, "Kv::Move.1")?;
                __rt::Ok(Kv::Move(__field_0, __field_1, __field_2))
            }
            0x40000001 => __rt::Ok(Kv::Clear),
            _ => __rt::Err(__rt::DecodeError::unknown_variant(__id)),
        })
    }
    #[automatically_derived]
    impl<'a> __rt::MachMessage for Kv<'a> {
        type View<'v> = Kv<'v>;
        const ENDPOINT: __rt::Option<&'static __rt::str> = __rt::Some("com.example.golden.kv");
        #[inline]
        fn message_id(&self) -> __rt::i32 {
            match self {
                Self::Put(..) => 0x4e792d8e,
                Self::Get { .. } => 0x76973ef7,
                Self::Load { .. } => 0x68afa209,
                Self::Move(..) => 0x7f2c2a34,
                Self::Clear => 0x40000001,
            }
        }
        fn message_name(__id: __rt::i32) -> __rt::Option<&'static __rt::str> {
            match __id {
                0x4e792d8e => __rt::Some("Put"),
                0x76973ef7 => __rt::Some("Get"),
                0x68afa209 => __rt::Some("Load"),
                0x7f2c2a34 => __rt::Some("Move"),
                0x40000001 => __rt::Some("Clear"),
                _ => __rt::None,
            }
        }
        #[inline]
        fn encode_payload<'m>(
            &'m self,
            __out: &mut __rt::Encoder<'m>,
        ) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                match self {
                    Self::Put(__field_0) => {
                        <Put<'a> as __rt::Field>::put(__field_0, __out, "Kv::Put.0")?;
                    }
                    Self::Get { key: __key, reply: __reply } => {
                        <Option<Vec<u8>> as __rt::Answer>::put(__reply, __out, "Kv::Get.reply")?;
                        <&'a str as __rt::Field>::put(__key, __out, "Kv::Get.key")?;
                    }
                    Self::Load { name: __name, data: __data } => {
                        <String as __rt::Field>::put(__name, __out, "Kv::Load.name")?;
                        <Vec<u8> as __rt::OutOfLine>::put(__data, __out, "Kv::Load.data")?;
                    }
                    Self::Move(__field_0, __field_1, __field_2) => {
                        <bool as __rt::Answer>::put(__field_2, __out, "Kv::Move.2")?;
                        <u32 as __rt::Field>::put(__field_0, __out, "Kv::Move.0")?;
                        <&'a str as __rt::Field>::put(__field_1, __out, "Kv::Move.1")?;
                    }
                    Self::Clear => {}
                }
                __rt::Ok(())
            })
        }
        #[inline]
        fn decode_payload<'v>(
            __id: __rt::i32,
            __input: &mut __rt::Decoder<'v>,
        ) -> __rt::Result<Self::View<'v>, __rt::DecodeError> {
            __decode_variant(__id, __input)
        }
    }
};
/// The client of [`Kv`]: a method for each of its messages, sent to the endpoint `com.example.golden.kv`.
/// Clones share the connection, and any thread may use it.
#[allow(dead_code)]
pub struct KvClient(::machipc::Client<Kv<'static>>);
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[allow(dead_code)]
    impl KvClient {
        /// Connects to the host of `com.example.golden.kv`.
        ///
        /// # Errors
        /// When there is no such host.
        pub fn connect() -> __rt::Result<Self, __rt::Error> {
            __rt::Client::connect().map(Self)
        }
        /// Connects to the host that has this name instead.
        ///
        /// # Errors
        /// When there is no such host.
        pub fn connect_to(name: &__rt::str) -> __rt::Result<Self, __rt::Error> {
            __rt::Client::connect_to(name).map(Self)
        }
        /// Connects to the host of `com.example.golden.kv`, waiting up to `timeout` for it to appear.
        ///
        /// # Errors
        /// When there is still no such host then.
        pub fn connect_timeout(timeout: __rt::Duration) -> __rt::Result<Self, __rt::Error> {
            __rt::Client::connect_timeout(timeout).map(Self)
        }
        /// Connects as the options say.
        ///
        /// # Errors
        /// When there is no such host, or it does not fit.
        pub fn connect_with(options: &__rt::ConnectOptions) -> __rt::Result<Self, __rt::Error> {
            __rt::Client::connect_with(options).map(Self)
        }
        /// The client of the host to which this is a right, for instance one that came in a message.
        pub fn from_right(right: __rt::SendRight<Kv<'static>>) -> Self {
            Self(__rt::Client::from_right(right))
        }
        /// The client of the host that the parent of this process handed it. It can be taken once.
        ///
        /// # Errors
        /// When there is none.
        pub fn from_parent() -> __rt::Result<Self, __rt::Error> {
            __rt::Client::from_parent().map(Self)
        }
        /// Uses a connection that is there already.
        pub fn from_client(client: __rt::Client<Kv<'static>>) -> Self {
            Self(client)
        }
        /// The connection, for whatever no method is for.
        pub fn client(&self) -> &__rt::Client<Kv<'static>> {
            &self.0
        }
        /// The same client with another deadline for each message and call; `None` waits for ever.
        #[must_use]
        pub fn with_deadline(&self, deadline: impl __rt::Into<__rt::Option<__rt::Duration>>) -> Self {
            Self(__rt::Client::with_deadline(&self.0, deadline))
        }
        /// The same client without the deadline of the request that is being handled.
        #[must_use]
        pub fn detached(&self) -> Self {
            Self(__rt::Client::detached(&self.0))
        }
        /// The same client, doing this when the host's queue is full.
        #[must_use]
        pub fn when_full(&self, when_full: __rt::WhenFull) -> Self {
            Self(__rt::Client::when_full(&self.0, when_full))
        }
        /// How many messages this client and its clones have dropped because the host's queue was full.
        pub fn dropped(&self) -> __rt::u64 {
            __rt::Client::dropped(&self.0)
        }
        /// Stores a value.
        ///
        /// Sends [`Kv::Put`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub fn put(&self, value: Put<'_>) -> __rt::Result<(), __rt::Error> {
            __rt::Client::send(&self.0, Kv::Put(value)).map_err(__rt::SendError::into_error)
        }
        /// Finds a value.
        ///
        /// Sends [`Kv::Get`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub fn get(&self, key: &str) -> __rt::Result<Option<Vec<u8>>, __rt::Error> {
            <Option<Vec<u8>> as __rt::Answer>::call(&self.0, |reply| Kv::Get { key, reply })
        }
        /// Sends [`Kv::Load`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub fn load(&self, name: String, data: Vec<u8>) -> __rt::Result<(), __rt::Error> {
            __rt::Client::send(&self.0, Kv::Load { name, data }).map_err(__rt::SendError::into_error)
        }
        /// Sends [`Kv::Move`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub fn r#move(&self, value_0: u32, value_1: &str) -> __rt::Result<bool, __rt::Error> {
            <bool as __rt::Answer>::call(&self.0, |reply| Kv::Move(value_0, value_1, reply))
        }
        /// Sends [`Kv::Clear`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub fn clear(&self) -> __rt::Result<(), __rt::Error> {
            __rt::Client::send(&self.0, Kv::Clear).map_err(__rt::SendError::into_error)
        }
    }
    impl __rt::Clone for KvClient {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl __rt::fmt::Debug for KvClient {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __rt::fmt_client(__f, "KvClient", &self.0)
        }
    }
};
/// [`KvClient`] without blocking the thread: its methods are futures.
/// Clones share the connection, and any thread may use it.
#[allow(dead_code)]
pub struct KvAsyncClient(::machipc::AsyncClient<Kv<'static>>);
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[allow(dead_code)]
    impl KvAsyncClient {
        /// Connects to the host of `com.example.golden.kv`.
        ///
        /// # Errors
        /// When there is no such host.
        pub fn connect() -> __rt::Result<Self, __rt::Error> {
            __rt::AsyncClient::connect().map(Self)
        }
        /// Connects to the host that has this name instead.
        ///
        /// # Errors
        /// When there is no such host.
        pub fn connect_to(name: &__rt::str) -> __rt::Result<Self, __rt::Error> {
            __rt::AsyncClient::connect_to(name).map(Self)
        }
        /// Connects to the host of `com.example.golden.kv`, waiting up to `timeout` for it to appear.
        ///
        /// # Errors
        /// When there is still no such host then.
        pub async fn connect_timeout(timeout: __rt::Duration) -> __rt::Result<Self, __rt::Error> {
            __rt::AsyncClient::connect_timeout(timeout).await.map(Self)
        }
        /// Connects as the options say.
        ///
        /// # Errors
        /// When there is no such host, or it does not fit.
        pub async fn connect_with(options: &__rt::ConnectOptions) -> __rt::Result<Self, __rt::Error> {
            __rt::AsyncClient::connect_with(options).await.map(Self)
        }
        /// The client of the host to which this is a right, for instance one that came in a message.
        pub fn from_right(right: __rt::SendRight<Kv<'static>>) -> Self {
            Self(__rt::AsyncClient::from_right(right))
        }
        /// The client of the host that the parent of this process handed it. It can be taken once.
        ///
        /// # Errors
        /// When there is none.
        pub fn from_parent() -> __rt::Result<Self, __rt::Error> {
            __rt::AsyncClient::from_parent().map(Self)
        }
        /// Uses a connection that is there already.
        pub fn from_client(client: __rt::AsyncClient<Kv<'static>>) -> Self {
            Self(client)
        }
        /// The connection, for whatever no method is for.
        pub fn client(&self) -> &__rt::AsyncClient<Kv<'static>> {
            &self.0
        }
        /// The same client with another deadline for each message and call; `None` waits for ever.
        #[must_use]
        pub fn with_deadline(&self, deadline: impl __rt::Into<__rt::Option<__rt::Duration>>) -> Self {
            Self(__rt::AsyncClient::with_deadline(&self.0, deadline))
        }
        /// The same client without the deadline of the request that is being handled.
        #[must_use]
        pub fn detached(&self) -> Self {
            Self(__rt::AsyncClient::detached(&self.0))
        }
        /// The same client, doing this when the host's queue is full.
        #[must_use]
        pub fn when_full(&self, when_full: __rt::WhenFull) -> Self {
            Self(__rt::AsyncClient::when_full(&self.0, when_full))
        }
        /// How many messages this client and its clones have dropped because the host's queue was full.
        pub fn dropped(&self) -> __rt::u64 {
            __rt::AsyncClient::dropped(&self.0)
        }
        /// Stores a value.
        ///
        /// Sends [`Kv::Put`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub async fn put(&self, value: Put<'_>) -> __rt::Result<(), __rt::Error> {
            __rt::AsyncClient::send(&self.0, Kv::Put(value)).await.map_err(__rt::SendError::into_error)
        }
        /// Finds a value.
        ///
        /// Sends [`Kv::Get`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub async fn get(&self, key: &str) -> __rt::Result<Option<Vec<u8>>, __rt::Error> {
            <Option<Vec<u8>> as __rt::Answer>::asker(&self.0).call(|reply| Kv::Get { key, reply }).await
        }
        /// Sends [`Kv::Load`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub async fn load(&self, name: String, data: Vec<u8>) -> __rt::Result<(), __rt::Error> {
            __rt::AsyncClient::send(&self.0, Kv::Load { name, data })
                .await
                .map_err(__rt::SendError::into_error)
        }
        /// Sends [`Kv::Move`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub async fn r#move(&self, value_0: u32, value_1: &str) -> __rt::Result<bool, __rt::Error> {
            <bool as __rt::Answer>::asker(&self.0).call(|reply| Kv::Move(value_0, value_1, reply)).await
        }
        /// Sends [`Kv::Clear`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub async fn clear(&self) -> __rt::Result<(), __rt::Error> {
            __rt::AsyncClient::send(&self.0, Kv::Clear).await.map_err(__rt::SendError::into_error)
        }
    }
    impl __rt::From<KvClient> for KvAsyncClient {
        fn from(client: KvClient) -> Self {
            Self(__rt::From::from(client.0))
        }
    }
    impl __rt::Clone for KvAsyncClient {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl __rt::fmt::Debug for KvAsyncClient {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __rt::fmt_client(__f, "KvAsyncClient", &self.0)
        }
    }
};
