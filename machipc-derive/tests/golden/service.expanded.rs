// Made from service.rs by MACHIPC_RENEW_GOLDEN=1 cargo test -p machipc-derive

//! An endpoint that is a trait.
use machipc::{Context, Sink, Source};
/// A store of values by name.
pub trait Store {
    /// Finds a value.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    fn put(&self, key: &str, value: &[u8], cx: &Context) -> Result<(), String>;
    fn touch(&self, r#type: u32);
    fn watch(&self, prefix: &str, events: Sink<String>);
    fn load(&self, parts: Source<Vec<u8>>) -> Result<u64, String>;
    fn clear(&self);
}
/// The messages of [`Store`]: a variant for each of its methods.
#[allow(missing_docs, dead_code)]
pub enum StoreMessage<'a> {
    /// Finds a value.
    Get {
        key: &'a str,
        reply: ::machipc::Reply<Option<Vec<u8>>>,
    },
    Put {
        key: &'a str,
        value: &'a [u8],
        reply: ::machipc::Reply<Result<(), String>>,
    },
    Touch {
        r#type: u32,
        reply: ::machipc::Reply<()>,
    },
    Watch {
        prefix: &'a str,
        events: Sink<String>,
        reply: ::machipc::Reply<()>,
    },
    Load {
        parts: Source<Vec<u8>>,
        reply: ::machipc::Reply<Result<u64, String>>,
    },
    Clear,
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<'a> __rt::Encode for StoreMessage<'a> {
        const MIN_SIZE: __rt::usize = 8;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Store", |__schema| {
                __schema.push("<#0x7;Put{reply:");
                <Result<(), String> as __rt::Answer>::describe(__schema);
                __schema.push(",key:");
                <&'a str as __rt::Field>::describe(__schema);
                __schema.push(",value:");
                <&'a [u8] as __rt::OutOfLine>::describe_last(__schema);
                __schema.push("};Touch{reply:");
                <() as __rt::Answer>::describe(__schema);
                __schema.push(",type:");
                <u32 as __rt::Field>::describe_last(__schema);
                __schema.push("};Load{reply:");
                <Result<u64, String> as __rt::Answer>::describe(__schema);
                __schema.push(",parts:");
                <Source<Vec<u8>> as __rt::Field>::describe_last(__schema);
                __schema.push("};Watch{reply:");
                <() as __rt::Answer>::describe(__schema);
                __schema.push(",prefix:");
                <&'a str as __rt::Field>::describe(__schema);
                __schema.push(",events:");
                <Sink<String> as __rt::Field>::describe_last(__schema);
                __schema.push("};Get{reply:");
                <Option<Vec<u8>> as __rt::Answer>::describe(__schema);
                __schema.push(",key:");
                <&'a str as __rt::Field>::describe_last(__schema);
                __schema.push("};>");
            });
        }
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __rt::put_endpoint(self, __out)
        }
    }
    #[automatically_derived]
    impl<'de: 'a, 'a> __rt::Decode<'de> for StoreMessage<'a> {
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __rt::take_endpoint(__input, __decode_variant)
        }
    }
    #[inline]
    fn __decode_variant<'de: 'a, 'a>(
        __id: __rt::i32,
        __input: &mut __rt::Decoder<'de>,
    ) -> __rt::Result<StoreMessage<'a>, __rt::DecodeError> {
        __input.nested(|__input| match __id {
            0x76973ef7 => {
                let __reply = <Option<Vec<u8>> as __rt::Answer>::take(__input, "StoreMessage::Get.reply")?;
                let __key = <&'a str as __rt::Field>::take(__input, "StoreMessage::Get.key")?;
                __rt::Ok(StoreMessage::Get { key: __key, reply: __reply })
            }
            0x4e792d8e => {
                let __reply = <Result<(), String> as __rt::Answer>::take(__input, "StoreMessage::Put.reply")?;
                let __key = <&'a str as __rt::Field>::take(__input, "StoreMessage::Put.key")?;
                let __value = <&'a [u8] as __rt::OutOfLine>::take(__input, "StoreMessage::Put.value")?;
                __rt::Ok(StoreMessage::Put { key: __key, value: __value, reply: __reply })
            }
            0x4f44fb78 => {
                let __reply = <() as __rt::Answer>::take(__input, "StoreMessage::Touch.reply")?;
                let __type = <u32 as __rt::Field>::take(__input, "StoreMessage::Touch.type")?;
                __rt::Ok(StoreMessage::Touch { r#type: __type, reply: __reply })
            }
            0x6c266ec8 => {
                let __reply = <() as __rt::Answer>::take(__input, "StoreMessage::Watch.reply")?;
                let __prefix = <&'a str as __rt::Field>::take(__input, "StoreMessage::Watch.prefix")?;
                let __events = <Sink<String> as __rt::Field>::take(__input, "StoreMessage::Watch.events")?;
                __rt::Ok(StoreMessage::Watch { prefix: __prefix, events: __events, reply: __reply })
            }
            0x68afa209 => {
                let __reply =
                    <Result<u64, String> as __rt::Answer>::take(__input, "StoreMessage::Load.reply")?;
                let __parts = <Source<Vec<u8>> as __rt::Field>::take(__input, "StoreMessage::Load.parts")?;
                __rt::Ok(StoreMessage::Load { parts: __parts, reply: __reply })
            }
            0x00000007 => __rt::Ok(StoreMessage::Clear),
            _ => __rt::Err(__rt::DecodeError::unknown_variant(__id)),
        })
    }
    #[automatically_derived]
    impl<'a> __rt::MachMessage for StoreMessage<'a> {
        type View<'v> = StoreMessage<'v>;
        const ENDPOINT: __rt::Option<&'static __rt::str> = __rt::Some("com.example.golden.service");
        #[inline]
        fn message_id(&self) -> __rt::i32 {
            match self {
                Self::Get { .. } => 0x76973ef7,
                Self::Put { .. } => 0x4e792d8e,
                Self::Touch { .. } => 0x4f44fb78,
                Self::Watch { .. } => 0x6c266ec8,
                Self::Load { .. } => 0x68afa209,
                Self::Clear => 0x00000007,
            }
        }
        fn message_name(__id: __rt::i32) -> __rt::Option<&'static __rt::str> {
            match __id {
                0x76973ef7 => __rt::Some("Get"),
                0x4e792d8e => __rt::Some("Put"),
                0x4f44fb78 => __rt::Some("Touch"),
                0x6c266ec8 => __rt::Some("Watch"),
                0x68afa209 => __rt::Some("Load"),
                0x00000007 => __rt::Some("Clear"),
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
                    Self::Get { key: __key, reply: __reply } => {
                        <Option<Vec<u8>> as __rt::Answer>::put(__reply, __out, "StoreMessage::Get.reply")?;
                        <&'a str as __rt::Field>::put(__key, __out, "StoreMessage::Get.key")?;
                    }
                    Self::Put { key: __key, value: __value, reply: __reply } => {
                        <Result<(), String> as __rt::Answer>::put(__reply, __out, "StoreMessage::Put.reply")?;
                        <&'a str as __rt::Field>::put(__key, __out, "StoreMessage::Put.key")?;
                        <&'a [u8] as __rt::OutOfLine>::put(__value, __out, "StoreMessage::Put.value")?;
                    }
                    Self::Touch { r#type: __type, reply: __reply } => {
                        <() as __rt::Answer>::put(__reply, __out, "StoreMessage::Touch.reply")?;
                        <u32 as __rt::Field>::put(__type, __out, "StoreMessage::Touch.type")?;
                    }
                    Self::Watch { prefix: __prefix, events: __events, reply: __reply } => {
                        <() as __rt::Answer>::put(__reply, __out, "StoreMessage::Watch.reply")?;
                        <&'a str as __rt::Field>::put(__prefix, __out, "StoreMessage::Watch.prefix")?;
                        <Sink<String> as __rt::Field>::put(__events, __out, "StoreMessage::Watch.events")?;
                    }
                    Self::Load { parts: __parts, reply: __reply } => {
                        <Result<u64, String> as __rt::Answer>::put(
                            __reply,
                            __out,
                            "StoreMessage::Load.reply",
                        )?;
                        <Source<Vec<u8>> as __rt::Field>::put(__parts, __out, "StoreMessage::Load.parts")?;
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
/// The client of [`Store`]: a method for each of its messages, sent to the endpoint `com.example.golden.service`.
/// Clones share the connection, and any thread may use it.
#[allow(dead_code)]
pub struct StoreClient(::machipc::Client<StoreMessage<'static>>);
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[allow(dead_code)]
    impl StoreClient {
        /// Connects to the host of `com.example.golden.service`.
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
        /// Connects to the host of `com.example.golden.service`, waiting up to `timeout` for it to appear.
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
        pub fn from_right(right: __rt::SendRight<StoreMessage<'static>>) -> Self {
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
        pub fn from_client(client: __rt::Client<StoreMessage<'static>>) -> Self {
            Self(client)
        }
        /// The connection, for whatever no method is for.
        pub fn client(&self) -> &__rt::Client<StoreMessage<'static>> {
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
        /// Finds a value.
        ///
        /// Sends [`StoreMessage::Get`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub fn get(&self, key: &str) -> __rt::Result<Option<Vec<u8>>, __rt::Error> {
            <Option<Vec<u8>> as __rt::Answer>::call(&self.0, |reply| StoreMessage::Get { key, reply })
        }
        /// Sends [`StoreMessage::Put`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub fn put(&self, key: &str, value: &[u8]) -> __rt::Result<(), __rt::CallError<String>> {
            __rt::flatten(<Result<(), String> as __rt::Answer>::call(&self.0, |reply| StoreMessage::Put {
                key,
                value,
                reply,
            }))
        }
        /// Sends [`StoreMessage::Touch`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub fn touch(&self, r#type: u32) -> __rt::Result<(), __rt::Error> {
            <() as __rt::Answer>::call(&self.0, |reply| StoreMessage::Touch { r#type, reply })
        }
        /// Sends [`StoreMessage::Watch`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub fn watch(&self, prefix: &str) -> __rt::Result<::machipc::Source<String>, __rt::Error> {
            let (events, __events) = <Sink<String> as __rt::StreamEnd>::pair()?;
            <() as __rt::Answer>::call(&self.0, |reply| StoreMessage::Watch { prefix, events, reply })
                .map(|()| __events)
        }
        /// Sends [`StoreMessage::Load`] and returns what waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub fn load(
            &self,
        ) -> __rt::Result<(::machipc::PendingReply<Result<u64, String>>, ::machipc::Sink<Vec<u8>>), __rt::Error>
        {
            let (parts, __parts) = <Source<Vec<u8>> as __rt::StreamEnd>::pair()?;
            <Result<u64, String> as __rt::Answer>::start(&self.0, |reply| StoreMessage::Load { parts, reply })
                .map(|__answer| (__answer, __parts))
        }
        /// Sends [`StoreMessage::Clear`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub fn clear(&self) -> __rt::Result<(), __rt::Error> {
            __rt::Client::send(&self.0, StoreMessage::Clear).map_err(__rt::SendError::into_error)
        }
    }
    impl __rt::Clone for StoreClient {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl __rt::fmt::Debug for StoreClient {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __rt::fmt_client(__f, "StoreClient", &self.0)
        }
    }
};
/// [`StoreClient`] without blocking the thread: its methods are futures.
/// Clones share the connection, and any thread may use it.
#[allow(dead_code)]
pub struct StoreAsyncClient(::machipc::AsyncClient<StoreMessage<'static>>);
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[allow(dead_code)]
    impl StoreAsyncClient {
        /// Connects to the host of `com.example.golden.service`.
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
        /// Connects to the host of `com.example.golden.service`, waiting up to `timeout` for it to appear.
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
        pub fn from_right(right: __rt::SendRight<StoreMessage<'static>>) -> Self {
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
        pub fn from_client(client: __rt::AsyncClient<StoreMessage<'static>>) -> Self {
            Self(client)
        }
        /// The connection, for whatever no method is for.
        pub fn client(&self) -> &__rt::AsyncClient<StoreMessage<'static>> {
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
        /// Finds a value.
        ///
        /// Sends [`StoreMessage::Get`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub async fn get(&self, key: &str) -> __rt::Result<Option<Vec<u8>>, __rt::Error> {
            <Option<Vec<u8>> as __rt::Answer>::asker(&self.0)
                .call(|reply| StoreMessage::Get { key, reply })
                .await
        }
        /// Sends [`StoreMessage::Put`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub async fn put(&self, key: &str, value: &[u8]) -> __rt::Result<(), __rt::CallError<String>> {
            __rt::flatten(
                <Result<(), String> as __rt::Answer>::asker(&self.0)
                    .call(|reply| StoreMessage::Put { key, value, reply })
                    .await,
            )
        }
        /// Sends [`StoreMessage::Touch`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub async fn touch(&self, r#type: u32) -> __rt::Result<(), __rt::Error> {
            <() as __rt::Answer>::asker(&self.0).call(|reply| StoreMessage::Touch { r#type, reply }).await
        }
        /// Sends [`StoreMessage::Watch`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub async fn watch(&self, prefix: &str) -> __rt::Result<::machipc::Source<String>, __rt::Error> {
            let (events, __events) = <Sink<String> as __rt::StreamEnd>::pair()?;
            <() as __rt::Answer>::asker(&self.0)
                .call(|reply| StoreMessage::Watch { prefix, events, reply })
                .await
                .map(|()| __events)
        }
        /// Sends [`StoreMessage::Load`] and returns what waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub async fn load(
            &self,
        ) -> __rt::Result<(::machipc::PendingReply<Result<u64, String>>, ::machipc::Sink<Vec<u8>>), __rt::Error>
        {
            let (parts, __parts) = <Source<Vec<u8>> as __rt::StreamEnd>::pair()?;
            <Result<u64, String> as __rt::Answer>::asker(&self.0)
                .start(|reply| StoreMessage::Load { parts, reply })
                .await
                .map(|__answer| (__answer, __parts))
        }
        /// Sends [`StoreMessage::Clear`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub async fn clear(&self) -> __rt::Result<(), __rt::Error> {
            __rt::AsyncClient::send(&self.0, StoreMessage::Clear).await.map_err(__rt::SendError::into_error)
        }
    }
    impl __rt::From<StoreClient> for StoreAsyncClient {
        fn from(client: StoreClient) -> Self {
            Self(__rt::From::from(client.0))
        }
    }
    impl __rt::Clone for StoreAsyncClient {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl __rt::fmt::Debug for StoreAsyncClient {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __rt::fmt_client(__f, "StoreAsyncClient", &self.0)
        }
    }
};
/// Serves an implementation of [`Store`] to the clients of the endpoint `com.example.golden.service`. Clones share it.
///
/// Start it with `bind` or `run`, or have a host with settings of its own take its `handler`.
#[allow(dead_code)]
pub struct StoreServer<T>(::machipc::__private_0_1::Arc<T>);
#[allow(deprecated, dead_code, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    impl<T: Store + __rt::Send + __rt::Sync + 'static> StoreServer<T> {
        /// A server of this implementation.
        pub fn new(implementation: T) -> Self {
            Self(__rt::Arc::new(implementation))
        }
        /// The implementation.
        pub fn implementation(&self) -> &__rt::Arc<T> {
            &self.0
        }
    }
    impl<T: Store + __rt::Send + __rt::Sync + 'static> StoreServer<T> {
        /// Starts a host of the endpoint on a thread of its own.
        ///
        /// # Errors
        /// As `Host::bind`: when the name has a host already.
        pub fn bind(self) -> __rt::Result<__rt::Host<StoreMessage<'static>>, __rt::Error> {
            __rt::Host::<StoreMessage<'static>>::bind(self.handler())
        }
        /// Runs a host of the endpoint on this thread, until a method stops it through its context.
        ///
        /// # Errors
        /// As `HostBuilder::run`: when the name has a host already.
        pub fn run(self) -> __rt::Result<__rt::HostStats, __rt::Error> {
            __rt::Host::<StoreMessage<'static>>::builder().run(self.handler())
        }
        /// The handler: `Host::<StoreMessage>::builder().threads(4).bind(server.handler())`.
        pub fn handler(
            self,
        ) -> impl __rt::Fn(StoreMessage<'_>, &__rt::Context) + __rt::Send + __rt::Sync + 'static {
            move |__message: StoreMessage<'_>, __cx: &__rt::Context| self.handle(__message, __cx)
        }
        /// Calls the method that [`StoreMessage`] is about, and answers with what it returns.
        pub fn handle(&self, message: StoreMessage<'_>, cx: &__rt::Context) {
            let (__message, __cx) = (message, cx);
            match __message {
                StoreMessage::Get { key: __key, reply: __reply } => {
                    <Option<Vec<u8>> as __rt::Answer>::send(__reply, <T as Store>::get(&self.0, __key))
                }
                StoreMessage::Put { key: __key, value: __value, reply: __reply } => {
                    <Result<(), String> as __rt::Answer>::send(
                        __reply,
                        <T as Store>::put(&self.0, __key, __value, __cx),
                    )
                }
                StoreMessage::Touch { r#type: __type, reply: __reply } => {
                    <() as __rt::Answer>::send(__reply, <T as Store>::touch(&self.0, __type))
                }
                StoreMessage::Watch { prefix: __prefix, events: __events, reply: __reply } => {
                    <() as __rt::Answer>::send(__reply, ());
                    <T as Store>::watch(&self.0, __prefix, __events)
                }
                StoreMessage::Load { parts: __parts, reply: __reply } => {
                    <Result<u64, String> as __rt::Answer>::send(__reply, <T as Store>::load(&self.0, __parts))
                }
                StoreMessage::Clear => <T as Store>::clear(&self.0),
            }
        }
    }
    /// Which message it is. What is in it is the caller's, and not for every log.
    impl __rt::fmt::Debug for StoreMessage<'_> {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __f.write_str(match self {
                Self::Get { .. } => "StoreMessage::Get",
                Self::Put { .. } => "StoreMessage::Put",
                Self::Touch { .. } => "StoreMessage::Touch",
                Self::Watch { .. } => "StoreMessage::Watch",
                Self::Load { .. } => "StoreMessage::Load",
                Self::Clear => "StoreMessage::Clear",
            })
        }
    }
    impl<T> __rt::From<__rt::Arc<T>> for StoreServer<T> {
        fn from(implementation: __rt::Arc<T>) -> Self {
            Self(implementation)
        }
    }
    impl<T> __rt::Clone for StoreServer<T> {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl<T> __rt::fmt::Debug for StoreServer<T> {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __f.write_str("StoreServer")
        }
    }
};
