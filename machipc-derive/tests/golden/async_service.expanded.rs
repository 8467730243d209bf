// Made from async_service.rs by MACHIPC_RENEW_GOLDEN=1 cargo test -p machipc-derive

//! An endpoint that is a trait with asynchronous methods.
use machipc::Context;
/// Values that take a while.
pub trait Slow {
    /// Finds a value.
    fn fetch(
        &self,
        key: &str,
        cx: &Context,
    ) -> impl ::core::future::Future<Output = Option<Vec<u8>>> + ::core::marker::Send;
    fn forget(&self, key: String) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
/// The messages of [`Slow`]: a variant for each of its methods.
#[allow(missing_docs, dead_code)]
pub enum SlowMessage<'a> {
    /// Finds a value.
    Fetch {
        key: &'a str,
        reply: ::machipc::Reply<Option<Vec<u8>>>,
    },
    Forget {
        key: String,
    },
}
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[automatically_derived]
    impl<'a> __rt::Encode for SlowMessage<'a> {
        const MIN_SIZE: __rt::usize = 8;
        fn schema(__schema: &mut __rt::Schema) {
            __schema.named::<Self>("Slow", |__schema| {
                __schema.push("<Fetch{reply:");
                <Option<Vec<u8>> as __rt::Answer>::describe(__schema);
                __schema.push(",key:");
                <&'a str as __rt::Field>::describe_last(__schema);
                __schema.push("};Forget{key:");
                <String as __rt::Field>::describe_last(__schema);
                __schema.push("};>");
            });
        }
        fn encode<'m>(&'m self, __out: &mut __rt::Encoder<'m>) -> __rt::Result<(), __rt::EncodeError> {
            __rt::put_endpoint(self, __out)
        }
    }
    #[automatically_derived]
    impl<'de: 'a, 'a> __rt::Decode<'de> for SlowMessage<'a> {
        fn decode(__input: &mut __rt::Decoder<'de>) -> __rt::Result<Self, __rt::DecodeError> {
            __rt::take_endpoint(__input, __decode_variant)
        }
    }
    #[inline]
    fn __decode_variant<'de: 'a, 'a>(
        __id: __rt::i32,
        __input: &mut __rt::Decoder<'de>,
    ) -> __rt::Result<SlowMessage<'a>, __rt::DecodeError> {
        __input.nested(|__input| match __id {
            0x533a3183 => {
                let __reply = <Option<Vec<u8>> as __rt::Answer>::take(__input, "SlowMessage::Fetch.reply")?;
                let __key = <&'a str as __rt::Field>::take(__input, "SlowMessage::Fetch.key")?;
                __rt::Ok(SlowMessage::Fetch { key: __key, reply: __reply })
            }
            0x6e3fab8c => {
                let __key = <String as __rt::Field>::take(__input, "SlowMessage::Forget.key")?;
                __rt::Ok(SlowMessage::Forget { key: __key })
            }
            _ => __rt::Err(__rt::DecodeError::unknown_variant(__id)),
        })
    }
    #[automatically_derived]
    impl<'a> __rt::MachMessage for SlowMessage<'a> {
        type View<'v> = SlowMessage<'v>;
        const ENDPOINT: __rt::Option<&'static __rt::str> = __rt::Some("com.example.golden.async");
        #[inline]
        fn message_id(&self) -> __rt::i32 {
            match self {
                Self::Fetch { .. } => 0x533a3183,
                Self::Forget { .. } => 0x6e3fab8c,
            }
        }
        fn message_name(__id: __rt::i32) -> __rt::Option<&'static __rt::str> {
            match __id {
                0x533a3183 => __rt::Some("Fetch"),
                0x6e3fab8c => __rt::Some("Forget"),
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
                    Self::Fetch { key: __key, reply: __reply } => {
                        <Option<Vec<u8>> as __rt::Answer>::put(__reply, __out, "SlowMessage::Fetch.reply")?;
                        <&'a str as __rt::Field>::put(__key, __out, "SlowMessage::Fetch.key")?;
                    }
                    Self::Forget { key: __key } => {
                        <String as __rt::Field>::put(__key, __out, "SlowMessage::Forget.key")?;
                    }
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
/// The client of [`Slow`]: a method for each of its messages, sent to the endpoint `com.example.golden.async`.
/// Clones share the connection, and any thread may use it.
#[allow(dead_code)]
pub struct SlowClient(::machipc::Client<SlowMessage<'static>>);
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[allow(dead_code)]
    impl SlowClient {
        /// Connects to the host of `com.example.golden.async`.
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
        /// Connects to the host of `com.example.golden.async`, waiting up to `timeout` for it to appear.
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
        pub fn from_right(right: __rt::SendRight<SlowMessage<'static>>) -> Self {
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
        pub fn from_client(client: __rt::Client<SlowMessage<'static>>) -> Self {
            Self(client)
        }
        /// The connection, for whatever no method is for.
        pub fn client(&self) -> &__rt::Client<SlowMessage<'static>> {
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
        /// Sends [`SlowMessage::Fetch`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub fn fetch(&self, key: &str) -> __rt::Result<Option<Vec<u8>>, __rt::Error> {
            <Option<Vec<u8>> as __rt::Answer>::call(&self.0, |reply| SlowMessage::Fetch { key, reply })
        }
        /// Sends [`SlowMessage::Forget`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub fn forget(&self, key: String) -> __rt::Result<(), __rt::Error> {
            __rt::Client::send(&self.0, SlowMessage::Forget { key }).map_err(__rt::SendError::into_error)
        }
    }
    impl __rt::Clone for SlowClient {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl __rt::fmt::Debug for SlowClient {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __rt::fmt_client(__f, "SlowClient", &self.0)
        }
    }
};
/// [`SlowClient`] without blocking the thread: its methods are futures.
/// Clones share the connection, and any thread may use it.
#[allow(dead_code)]
pub struct SlowAsyncClient(::machipc::AsyncClient<SlowMessage<'static>>);
#[allow(deprecated, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    #[allow(dead_code)]
    impl SlowAsyncClient {
        /// Connects to the host of `com.example.golden.async`.
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
        /// Connects to the host of `com.example.golden.async`, waiting up to `timeout` for it to appear.
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
        pub fn from_right(right: __rt::SendRight<SlowMessage<'static>>) -> Self {
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
        pub fn from_client(client: __rt::AsyncClient<SlowMessage<'static>>) -> Self {
            Self(client)
        }
        /// The connection, for whatever no method is for.
        pub fn client(&self) -> &__rt::AsyncClient<SlowMessage<'static>> {
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
        /// Sends [`SlowMessage::Fetch`] and waits for the answer.
        ///
        /// # Errors
        /// When the message cannot be sent, or no answer comes.
        pub async fn fetch(&self, key: &str) -> __rt::Result<Option<Vec<u8>>, __rt::Error> {
            <Option<Vec<u8>> as __rt::Answer>::asker(&self.0)
                .call(|reply| SlowMessage::Fetch { key, reply })
                .await
        }
        /// Sends [`SlowMessage::Forget`].
        ///
        /// # Errors
        /// When the message cannot be sent.
        pub async fn forget(&self, key: String) -> __rt::Result<(), __rt::Error> {
            __rt::AsyncClient::send(&self.0, SlowMessage::Forget { key })
                .await
                .map_err(__rt::SendError::into_error)
        }
    }
    impl __rt::From<SlowClient> for SlowAsyncClient {
        fn from(client: SlowClient) -> Self {
            Self(__rt::From::from(client.0))
        }
    }
    impl __rt::Clone for SlowAsyncClient {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl __rt::fmt::Debug for SlowAsyncClient {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __rt::fmt_client(__f, "SlowAsyncClient", &self.0)
        }
    }
};
/// Serves an implementation of [`Slow`] to the clients of the endpoint `com.example.golden.async`. Clones share it.
///
/// It is the handler of an asynchronous host: `Host::<SlowMessage>::builder().serve_async_on(spawn, server)`.
#[allow(dead_code)]
pub struct SlowServer<T>(::machipc::__private_0_1::Arc<T>);
#[allow(deprecated, dead_code, elided_lifetimes_in_paths)]
const _: () = {
    use ::machipc::__private_0_1 as __rt;
    impl<T: Slow + __rt::Send + __rt::Sync + 'static> SlowServer<T> {
        /// A server of this implementation.
        pub fn new(implementation: T) -> Self {
            Self(__rt::Arc::new(implementation))
        }
        /// The implementation.
        pub fn implementation(&self) -> &__rt::Arc<T> {
            &self.0
        }
    }
    impl<T> __rt::AsyncHandler<SlowMessage<'static>> for SlowServer<T>
    where
        T: Slow + __rt::Send + __rt::Sync + 'static,
    {
        async fn handle<'__m>(&self, __message: SlowMessage<'__m>, __cx: &'__m __rt::Context) {
            match __message {
                SlowMessage::Fetch { key: __key, reply: mut __reply } => {
                    if let __rt::Some(__answer) = __rt::Reply::run_until_cancelled(
                        &mut __reply,
                        <T as Slow>::fetch(&self.0, __key, __cx),
                    )
                    .await
                    {
                        <Option<Vec<u8>> as __rt::Answer>::send(__reply, __answer)
                    }
                }
                SlowMessage::Forget { key: __key } => <T as Slow>::forget(&self.0, __key).await,
            }
        }
    }
    /// Which message it is. What is in it is the caller's, and not for every log.
    impl __rt::fmt::Debug for SlowMessage<'_> {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __f.write_str(match self {
                Self::Fetch { .. } => "SlowMessage::Fetch",
                Self::Forget { .. } => "SlowMessage::Forget",
            })
        }
    }
    impl<T> __rt::From<__rt::Arc<T>> for SlowServer<T> {
        fn from(implementation: __rt::Arc<T>) -> Self {
            Self(implementation)
        }
    }
    impl<T> __rt::Clone for SlowServer<T> {
        fn clone(&self) -> Self {
            Self(__rt::Clone::clone(&self.0))
        }
    }
    impl<T> __rt::fmt::Debug for SlowServer<T> {
        fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
            __f.write_str("SlowServer")
        }
    }
};
