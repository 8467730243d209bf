//! The macros and their documentation, which is here because its examples and links need this crate.

/// Makes a struct or an enum a message: something that can be sent whole, and be a field of other messages.
///
/// It implements [`MachMessage`](crate::message::MachMessage), [`Encode`](crate::message::Encode) and
/// [`Decode`](crate::message::Decode).
///
/// ```
/// use machipc::MachMessage;
///
/// #[derive(MachMessage, Debug)]
/// struct Put<'a> {
///     key: &'a str,
///     value: &'a [u8],
///     #[mach(since = 2)]
///     expires: Option<u64>,
/// }
///
/// #[derive(MachMessage, Debug)]
/// enum Shape {
///     Point,
///     Circle(f64),
///     Polygon { corners: Vec<(f64, f64)>, holes: Vec<Shape> },
/// }
/// ```
///
/// # What a field can be
///
/// Numbers, `bool`, `char`, text, tuples, arrays, `Option`, `Result`, `Box`, the collections, and what else the
/// [table of the format](crate::message#the-format) lists; other messages; rights ([`SendRight`](crate::SendRight) and its kin), open
/// files ([`OwnedFd`](std::os::fd::OwnedFd)) and memory ([`OolBuffer`](crate::OolBuffer)). A type that contains itself, in a `Box` or
/// a `Vec`, is fine.
///
/// Pointers, functions, `&mut`, trait objects and `&'static` references are refused where they are written. A
/// [`Reply`](crate::Reply) is a field of an [`endpoint`](macro@crate::endpoint)'s variant only.
///
/// # Borrowing
///
/// A field with a lifetime borrows from the receive buffer: `&'a str`, `&'a [u8]`, `&'a T` and `&'a [T]` of
/// [plain data](macro@crate::pod), `Cow<'a, str>`, and messages that borrow themselves. Nothing is copied, and the message lives
/// as long as the buffer. The macro makes, for `Put<'a>`,
///
/// ```text
/// impl<'de: 'a, 'a> Decode<'de> for Put<'a> { … }
/// impl<'a> MachMessage for Put<'a> { type View<'v> = Put<'v>; }
/// ```
///
/// so that `Put<'_>` stands for one type in all lifetimes. Several lifetimes all become that of the message.
///
/// # Generics
///
/// Type parameters get the bounds that the impls need; const parameters are left alone. A parameter without bounds of its own may borrow:
/// `Tagged<&str>` is a message, received as `Tagged<&'v str>`. A parameter with bounds is owned in whole messages, for
/// nobody knows whether the bounds hold for another lifetime. A parameter that occurs only in
/// [`SendRight<T>`](crate::SendRight) and its kin has to be a message; one that occurs only in `PhantomData<T>` can be anything.
///
/// ```
/// # use machipc::MachMessage;
/// #[derive(MachMessage)]
/// struct Tagged<T, const N: usize> {
///     tag: [u8; N],
///     value: T,
/// }
/// ```
///
/// # Words
///
/// They stand in `#[mach(…)]`, several separated by commas.
///
/// | on | word | meaning |
/// |---|---|---|
/// | the type | `pod` | The type is plain data: one copy in, borrowed out. [`#[machipc::pod]`](macro@crate::pod) writes this and what it needs; see there. |
/// | the type | `crate = "path"` | Where this crate is, when it is not `::machipc`. |
/// | a field | `ool` | The field travels [out of line](#out-of-line). |
/// | a field, a variant | `since = 2` | It [came later](#old-and-new-peers): in version 2. |
/// | a `since` field | `default = "path"` | What the field is when an older peer does not send it: what this function returns. `default` alone, or nothing, is `Default::default`. |
/// | a variant | `id = 7` | The variant's number, instead of its position. |
///
/// # Out of line
///
/// Mach moves out-of-line memory by mapping it instead of copying it into the message: for what is large. A message that
/// outgrows the inline limit goes out of line as a whole by itself; `ool` sends a field so, whatever its size. It is for text
/// (`String`, `&str`, `Cow<str>`, `Box<str>`) and plain data (`Vec<T>`, `&[T]`, `Cow<[T]>`, `Box<[T]>`). A borrowed field then borrows
/// from the memory that came. To build such memory in place and never copy it, make the field an
/// [`OolBuffer`](crate::OolBuffer), which on the wire is the same as bytes with `ool`.
///
/// ```
/// # use machipc::MachMessage;
/// #[derive(MachMessage)]
/// struct Image<'a> {
///     name: &'a str,
///     #[mach(ool)]
///     pixels: &'a [u32],
/// }
/// ```
///
/// # Old and new peers
///
/// Both sides must have been built from the same names and types; the [fingerprint](crate::message::MachMessage::fingerprint) tells when
/// they were not. Fields marked `since` are not in it, so that they can be added while older peers are running. They stand
/// at the end, oldest first. A peer that does not know them skips them; a peer that misses them makes them.
///
/// ```
/// use machipc::MachMessage;
/// use machipc::message::{AlignedBuffer, Decode, Decoder, Encode, Encoder};
///
/// mod v1 {
///     #[derive(machipc::MachMessage)]
///     pub struct Job { pub name: String }
/// }
/// mod v2 {
///     #[derive(machipc::MachMessage)]
///     pub struct Job {
///         pub name: String,
///         #[mach(since = 2, default = "normal")]
///         pub priority: u8,
///     }
///     fn normal() -> u8 { 5 }
/// }
/// assert_eq!(v1::Job::fingerprint(), v2::Job::fingerprint());
///
/// let old = v1::Job { name: "index".to_owned() };
/// let mut buffer = AlignedBuffer::new();
/// let mut out = Encoder::new(&mut buffer);
/// old.encode(&mut out)?;
/// out.finish();
///
/// let new = v2::Job::decode(&mut Decoder::new(buffer.as_bytes(), None))?;
/// assert_eq!((new.name.as_str(), new.priority), ("index", 5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A message, what is last in an endpoint's variant, an answer, and what a right carries may gain their first `since` field at any time. A type that is a part of other
/// messages changes with its first one, and may gain more from then on.
///
/// Variants may be marked too. A peer that gets one it does not know answers with an error
/// ([`is_unknown_variant`](crate::message::DecodeError::is_unknown_variant)); in an enum they stand at the end, since a
/// variant's number is its position. A variant with an `id` can be renamed and moved: the number is what peers know it by.
///
/// # Mistakes
///
/// All mistakes of a type are reported in one compile, each where it is and with what to do about it. The impls are made all the same,
/// so that the uses of the type are not reported as mistakes too.
pub use machipc_derive::MachMessage;

/// Makes an enum an endpoint: each variant is a message, and a client with a method for each is made. Or a trait, each of whose methods
/// is a message: see [the trait form](#the-trait-form).
///
/// ```
/// use machipc::{Context, Host, MachMessage, Reply, SendRight};
///
/// #[derive(MachMessage, Debug)]
/// struct Event {
///     key: String,
/// }
///
/// #[machipc::endpoint("com.example.kv")]
/// #[derive(Debug)]
/// pub enum Kv<'a> {
///     /// Stores a value.
///     Put { key: &'a str, value: &'a [u8] },                // one way
///     Get { key: &'a str, reply: Reply<Option<Vec<u8>>> },  // a request
///     Load { name: String, #[mach(ool)] data: Vec<u8> },    // out of line
///     Watch { prefix: String, events: SendRight<Event> },   // a right in a message
///     Clear,
/// }
///
/// fn serve() -> Result<Host<Kv<'static>>, machipc::Error> {
///     Host::<Kv>::bind(|message: Kv<'_>, _: &Context| match message {
///         Kv::Get { key, reply } => drop(reply.send_on_return(Some(key.as_bytes().to_vec()))),
///         other => println!("{other:?}"),
///     })
/// }
///
/// fn ask() -> Result<(), machipc::Error> {
///     let kv = KvClient::connect()?;
///     kv.put("a", b"1")?;
///     let value: Option<Vec<u8>> = kv.get("a")?;
///     kv.clear()
/// }
/// ```
///
/// # The name
///
/// It is a string literal of 1 to 127 bytes, without NUL and `/`: what hosts take and clients look up unless they are given another at run
/// time. Options follow it:
///
/// | option | meaning |
/// |---|---|
/// | `client = Name` | What the client is called, instead of the enum's name with `Client` behind it. |
/// | `flat_errors` | The client's methods return [one error](#errors) where a host answers with a `Result`. |
/// | `crate = path` | Where this crate is, when it is not `::machipc`. |
///
/// # Variants
///
/// Unit, tuple and struct variants can have any [field](derive@crate::MachMessage#what-a-field-can-be) that a message can have, with the
/// words `ool`, `since` and `default`; and at most one [`Reply<T>`](crate::Reply), as the last field. A variant with a reply is a request
/// and is answered with a `T`, which owns all it has. The reply's right travels in the message's header.
///
/// A message's `msgh_id` says which variant it is, and comes from the variant's name, so that variants can be added, removed and moved.
///
/// | word on a variant | meaning |
/// |---|---|
/// | `id = 7` | The `msgh_id`, from 0 to `0x7fff_ffff`, instead of the one made of the name. The variant can then be renamed. Mach's notifications have 64 to 72, and `0x2000_0000` to `0x2000_00ff` and `0x3000_0000` are this crate's. |
/// | `since = 2` | It came later: it is not in the fingerprint, so that older peers stay compatible. They answer it with [`Error::Unsupported`](crate::Error::Unsupported). |
/// | `method = name` | What the client's method is called, instead of the variant's name in snake case. |
///
/// `#[cfg(…)]` on variants and fields works as usual, and so do other derives.
///
/// # The client
///
/// It wraps a [`Client`](crate::Client), is as visible as the enum, and can be cloned and used from any thread. It has
///
/// | method | |
/// |---|---|
/// | `connect()`, `connect_to(name)`, `connect_timeout(timeout)` | Connects: to the endpoint's own name, to another, or once a host is there. |
/// | `connect_with(&options)` | Connects as [`ConnectOptions`](crate::ConnectOptions) say, which can also reconnect. |
/// | `from_right(right)`, `from_parent()` | From a right that came in a message, and from what the parent process [handed](crate::Host::hand_to). |
/// | `from_client(client)`, `client()` | From and to the plain [`Client`](crate::Client). |
/// | `with_deadline(deadline)` | The same client with another deadline for each message and call. |
/// | `detached()` | The same client without the deadline of the request that is being handled: [`Client::detached`](crate::Client::detached). |
/// | `when_full(when_full)`, `dropped()` | What it does when the host's queue is full, and how many messages it has dropped: [`WhenFull`](crate::WhenFull). |
/// | one for each variant | Takes the variant's fields and sends it. With a reply it waits for the answer and returns it, else it returns when the message is on its way: `Result<T, Error>` or `Result<(), Error>`. The variant's documentation is the method's. |
///
/// Beside it stands the same client without blocking: `KvAsyncClient` beside `KvClient`, `StoreAsync` beside a client that is called
/// `Store`. It wraps an [`AsyncClient`](crate::AsyncClient), its methods are `async`, and it can be made [`From`] the other one.
/// It is made in the same ways but for `connect_with`, which asks the host and waits for it: connect the blocking one so, and make it [`From`]
/// that.
///
/// A method whose name is a keyword is raw: `kv.r#move()`.
///
/// # Errors
///
/// A reply may be a `Reply<Result<T, E>>`, with any message as `E`. The client's method then returns `Result<Result<T, E>, Error>`: the outer
/// one tells whether the call was answered, the inner one what the host answered. That is the default because the two ask for
/// different things of a caller: after the first it connects again, or gives up, and does not know whether the host has done anything;
/// after the second all is well but for the request. With `?` on the outer one, what is left is the host's own answer.
///
/// With `flat_errors` such methods return `Result<T, CallError<E>>` instead, for callers who treat both alike: see
/// [`CallError`](crate::CallError). The other methods return `Result<T, Error>` as before. It is a matter of this side's program, and nothing
/// on the wire knows of it.
///
/// # Streams
///
/// A field [`Sink<T>`](crate::Sink) is a stream from the host to the caller, a field [`Source<T>`](crate::Source) one from the caller to the
/// host. The client's method does not take such a field: it makes the stream, sends this end and returns the other.
///
/// ```
/// use machipc::{Error, Reply, Sink, Source, StreamError};
///
/// #[machipc::endpoint("com.example.feed")]
/// pub enum Feed<'a> {
///     Watch { prefix: &'a str, out: Sink<String> },
///     Upload { parts: Source<Vec<u8>>, reply: Reply<u64> },
/// }
///
/// fn watch(feed: &FeedClient) -> Result<(), Error> {
///     for key in feed.watch("keys/")? {
///         match key {
///             Ok(key) => println!("{key}"),
///             Err(StreamError::Failed(why)) => println!("no more, for {why}"),
///             Err(error) => println!("{error}"),
///         }
///     }
///     Ok(())
/// }
///
/// fn upload(feed: &FeedClient) -> Result<u64, Error> {
///     let (answer, sink) = feed.upload()?;
///     sink.send(vec![1, 2, 3])?;
///     sink.finish()?;
///     answer.wait()
/// }
/// ```
///
/// | the variant has | the client's method returns, in a `Result` |
/// |---|---|
/// | `Sink<T>` | `Source<T>` |
/// | `Source<T>` | `Sink<T>` |
/// | `Sink<T>` and `Reply<()>` | `Source<T>`, once the answer is there |
/// | `Sink<T>` and `Reply<A>` | `(A, Source<T>)`, once the answer is there |
/// | `Sink<T>` and `Reply<Result<A, E>>` | `Result<(A, Source<T>), E>`, once the answer is there |
/// | `Source<T>` and `Reply<A>` | `(PendingReply<A>, Sink<T>)`, at once: the host may want items before it answers |
/// | several of them | all the ends, in the order of the fields, behind the answer |
///
/// So a host that answers such a request answers before the sink's window is full, or the caller does not read yet. The window is 64
/// items; the caller can [change](crate::Source::set_window) it, or make the stream with [`stream_with`](crate::stream_with) and the message
/// by hand. Inside another type, as in `Option<Sink<T>>`, an end of a stream is a field like any other. Its items are owned. In tasks,
/// [`Source::into_async`](crate::Source::into_async) and [`Sink::into_async`](crate::Sink::into_async) make ends that do not block.
///
/// # The trait form
///
/// On a trait, each method is a message, and what implements the trait is a host:
///
/// ```
/// use machipc::{Context, MachMessage};
/// use std::{collections::HashMap, sync::Mutex};
///
/// #[derive(MachMessage, Debug)]
/// pub struct Full {
///     limit: u32,
/// }
///
/// #[machipc::endpoint("com.example.store")]
/// pub trait Store {
///     /// Finds a value.
///     fn get(&self, key: &str) -> Option<Vec<u8>>;
///     fn put(&self, key: &str, value: &[u8]) -> Result<(), Full>;
///     #[oneway]
///     fn touch(&self, cx: &Context, key: &str);
/// }
///
/// #[derive(Default)]
/// struct InMemory(Mutex<HashMap<String, Vec<u8>>>);
///
/// impl Store for InMemory {
///     fn get(&self, key: &str) -> Option<Vec<u8>> {
///         self.0.lock().unwrap().get(key).cloned()
///     }
///     fn put(&self, key: &str, value: &[u8]) -> Result<(), Full> {
///         let mut values = self.0.lock().unwrap();
///         if values.len() >= 100 {
///             return Err(Full { limit: 100 });
///         }
///         values.insert(key.to_owned(), value.to_owned());
///         Ok(())
///     }
///     fn touch(&self, cx: &Context, key: &str) {
///         println!("process {} touches {key}", cx.peer().pid());
///     }
/// }
///
/// fn serve() -> Result<(), machipc::Error> {
///     StoreServer::new(InMemory::default()).run()?;
///     Ok(())
/// }
///
/// fn ask() -> Result<(), machipc::Error> {
///     let store = StoreClient::connect()?;
///     let stored: Result<(), Full> = store.put("a", b"1")?;
///     let value: Option<Vec<u8>> = store.get("a")?;
///     store.touch("a")
/// }
/// ```
///
/// It is another way to write the enum, which it makes: for `Store`
///
/// ```
/// # use machipc::{MachMessage, Reply};
/// # #[derive(MachMessage, Debug)]
/// # pub struct Full { limit: u32 }
/// #[machipc::endpoint("com.example.store")]
/// pub enum Store<'a> {
///     Get { key: &'a str, reply: Reply<Option<Vec<u8>>> },
///     Put { key: &'a str, value: &'a [u8], reply: Reply<Result<(), Full>> },
///     Touch { key: &'a str },
/// }
/// ```
///
/// but for the enum's Rust name, which is `StoreMessage`. The two are the same on the wire: a client of one form talks to a host of
/// the other. The method `get_all` is the variant `GetAll`, its parameters are the variant's fields, what it returns is the last field,
/// `reply`.
///
/// | made | |
/// |---|---|
/// | the trait | As it was written, without the macro's words. |
/// | `StoreMessage<'a>` | The enum. Its `Debug` form is the variant's name. |
/// | `StoreClient` | [The client](#the-client) of the enum. It does not implement the trait, since its calls can fail. |
/// | `StoreServer<T>` | Serves an implementation: `new(implementation)` or `from(Arc<T>)`, then `bind()` or `run()` as [`Host`](crate::Host) has them, or `handler()` for a host with settings of its own; for [asynchronous methods](crate::AsyncHandler) it is the handler itself. |
///
/// **A method is a request**, also when it returns nothing: then the caller learns that it was done, and of whatever kept it from being done.
/// `#[oneway]` on a method makes it a message that nobody waits for. That is faster and tells the caller nothing, so that it is what has to
/// be asked for. (In an enum the reply is there to see, in a trait it would not be.)
///
/// **Errors of the method's own**: `-> Result<T, E>` travels as a `Reply<Result<T, E>>`, and the client's method returns
/// `Result<Result<T, E>, Error>`, or one [flat error](#errors).
///
/// **Asynchronous methods**: with an `async fn` among the methods, `StoreServer` is the handler of an
/// [asynchronous host](crate::HostBuilder::serve_async_on) instead: `Host::<StoreMessage>::builder().serve_async_on(spawn, server)`. Each call is
/// a task. The futures are `Send`, and may borrow from the message across an `await`; a method without `async` holds up its task's thread.
/// When the caller gives up, by its deadline, a dropped future or its end, the method's future is
/// [dropped](crate::Reply::run_until_cancelled) at the `await` that it has come to. What must not stop half-way is a task of its own, which the
/// method spawns and awaits. A `#[oneway]` method has no caller that could give up, and a method that is
/// answered before it runs sees its stream close instead.
///
/// ```
/// # use machipc::Host;
/// #[machipc::endpoint("com.example.words")]
/// pub trait Words {
///     async fn meaning(&self, word: &str) -> Option<String>;
/// }
///
/// struct Dictionary;
///
/// # async fn look_up(word: &str) -> Option<String> { Some(word.to_owned()) }
/// impl Words for Dictionary {
///     async fn meaning(&self, word: &str) -> Option<String> {
///         look_up(word).await
///     }
/// }
///
/// # fn spawn(task: machipc::Task) {}
/// fn serve() -> Result<Host<WordsMessage<'static>>, machipc::Error> {
///     Host::<WordsMessage>::builder().serve_async_on(spawn, WordsServer::new(Dictionary))
/// }
/// ```
///
/// **Streams**: a method that takes a `Sink` and returns nothing is answered before it runs, so that the caller reads while it feeds the
/// stream, until it returns: `fn watch(&self, prefix: &str, out: Sink<Event>)`. It keeps one of the host's threads for that long; to let
/// go of it, hand the sink to another thread. Any other method is answered with what it returns, when it returns.
///
/// **The context**: a parameter `&Context` is not a part of the message. The host fills it in, and the client's method does not have it.
///
/// **Lifetimes** are left out: what a parameter borrows lives until the method returns. A type with a lifetime says so, `Put<'_>`, for the
/// macro cannot see it otherwise. An answer is owned.
///
/// The methods take `&self`, for a host's threads and the clients in its process share the implementation, which is
/// `Send + Sync + 'static`. They have no bodies and no type parameters, and neither has the trait.
///
/// | word on the attribute | meaning |
/// |---|---|
/// | `message = Name`, `client = Name`, `server = Name` | What the enum, the client and the server are called. |
///
/// | word on a method | meaning |
/// |---|---|
/// | `id = 7`, `since = 2` | As on a variant. |
/// | `variant = Name` | What the variant is called, instead of the method's name in camel case. |
///
/// A parameter takes the words of a field: `#[mach(ool)] data: &[u8]`. `#[cfg(…)]` goes on methods, not on parameters.
///
/// # Generics
///
/// Of the enum form. As for [messages](derive@crate::MachMessage#generics), but type parameters are owned: `KvClient<T>` has methods that take a `T`.
///
/// # Inside other messages
///
/// An endpoint can be a field too; then its id precedes it.
pub use machipc_derive::endpoint;

/// Makes a struct or an enum plain data: its bytes in memory are its bytes in a message.
///
/// One copy puts it into a message, also a whole slice of it, and a receiver borrows it from the receive buffer: `&'a T`, `&'a [T]`.
///
/// ```
/// use machipc::MachMessage;
///
/// #[machipc::pod]
/// #[derive(Debug, Clone, Copy)]
/// struct Sample {
///     time: u64,
///     value: f32,
///     channel: Channel,
///     _padding: [u8; 3],
/// }
///
/// #[machipc::pod]
/// #[derive(Debug, Clone, Copy)]
/// #[repr(u8)]
/// enum Channel {
///     Left,
///     Right,
/// }
///
/// #[derive(MachMessage)]
/// struct Batch<'a> {
///     source: &'a str,
///     samples: &'a [Sample],
/// }
/// ```
///
/// The attribute stands for
///
/// ```
/// use machipc::zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};
/// use machipc::MachMessage;
///
/// #[derive(MachMessage, TryFromBytes, IntoBytes, KnownLayout, Immutable)]
/// #[zerocopy(crate = "machipc::zerocopy")]
/// #[mach(pod)]
/// #[repr(C)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
/// ```
///
/// which can be written instead, for instance in a crate that uses zerocopy itself. An option, `crate = path`, says where this crate is.
///
/// # What it takes
///
/// - A layout that is the same in every program: `#[repr(C)]`, `#[repr(C, packed)]` or `#[repr(transparent)]` on a struct (the attribute adds
///   `repr(C)` where there is none), `#[repr(u8)]` or another integer on an enum.
/// - Fields that are [plain data](crate::message::Pod): integers of fixed size, floats, `bool`, `char`, arrays of them, and other such
///   types. No references, no lifetimes, no `usize`.
/// - No padding: the compiler says behind which field how many bytes of it are, to be filled with a field. Nothing uninitialised ever leaves a
///   process.
/// - An alignment of 16 bytes at most.
///
/// Bytes that are no value, as a `bool` of 2 or a `Channel` of 7, are an error when the message is read. The layout is a part of the
/// fingerprint. Fields take no words, for the type travels in one piece: what should grow is a message around it.
pub use machipc_derive::pod;
