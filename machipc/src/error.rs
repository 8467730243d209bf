//! What can go wrong, for whom, and what to do about it.

use std::fmt;
use std::time::Duration;

use crate::host::UNNAMED;
use crate::mach;
use crate::message::{DecodeError, Differences, EncodeError, MachMessage, Schema};
use crate::port::MachError;
use crate::port::bootstrap::BootstrapError;

/// Why a host could not start, a message was not delivered, or a call was not answered.
///
/// Every variant names the endpoint it is about (`(unnamed)` for a client made from a right), and its text says what to do.
/// Where Mach itself refused, the [`MachError`] is the [`source`](std::error::Error::source) and [`mach`](Self::mach) returns it.
///
/// ```
/// # use machipc::Error;
/// fn worth_connecting_again(error: &Error) -> bool {
///     matches!(error, Error::HostDied { .. } | Error::NotFound { .. })
/// }
/// # assert!(worth_connecting_again(&Error::HostDied { endpoint: "com.example.kv".into() }));
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No host has this name.
    #[error("no host serves {endpoint:?}: start it first, or wait for it with `connect_timeout`")]
    NotFound {
        /// The name that was looked up.
        endpoint: String,
    },

    /// Another host has this name, or the system does not let this program have it. The two cannot be told apart where Mach
    /// said `BOOTSTRAP_NOT_PRIVILEGED` (1100): it refuses before it looks who has the name.
    #[error("{}", name_taken(endpoint, source))]
    NameTaken {
        /// The name that was asked for.
        endpoint: String,
        /// What Mach said.
        source: MachError,
    },

    /// The name cannot be a name.
    #[error("{endpoint:?} cannot name an endpoint: {reason}; use 1 to 127 bytes without NUL")]
    BadName {
        /// The name that was asked for.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// The message type carries no name and none was given.
    #[error(
        "{message} has no endpoint name of its own: give one with `Host::builder().name(…)` or `Client::connect_to(…)`"
    )]
    NoName {
        /// The message type.
        message: &'static str,
    },

    /// The host's port is gone: the host was dropped, or its process ended. The message may or may not have been handled.
    #[error("{}", host_died(endpoint))]
    HostDied {
        /// Whose host it was.
        endpoint: String,
    },

    /// The host is being [shut down](crate::Host::shutdown) and has not taken this request: it has not been handled, and may be made again.
    #[error(
        "the host of {endpoint:?} is shutting down and has not taken the request: connect again, and repeat it"
    )]
    HostStopping {
        /// Whose host it was.
        endpoint: String,
    },

    /// The handler dropped its [`Reply`](crate::Reply) without sending, perhaps because it panicked.
    #[error("the host of {endpoint:?} dropped the reply without sending it: its log may say why")]
    ReplyDropped {
        /// Whose host it was.
        endpoint: String,
    },

    /// The time was up before the message was taken or the answer came.
    #[error(
        "{endpoint:?} did not answer within {after:?}: look at what keeps the host busy, or allow more with `with_deadline` (a request's handler has what is left to its caller)"
    )]
    DeadlineExceeded {
        /// Whose host it was.
        endpoint: String,
        /// How much time there was.
        after: Duration,
    },

    /// The host's queue was full, and the client does not [wait](crate::Client::when_full) for room. The message was not sent.
    #[error("the queue of {endpoint:?} is full: send again later, or wait for room with `WhenFull::Wait`")]
    QueueFull {
        /// Whose host it is.
        endpoint: String,
    },

    /// Host and client were built from different message types.
    #[error(
        "{endpoint:?}: client and host were built from different definitions: {differences} (this side's is {ours}, the host's is {theirs}): build both from the same definition, or mark what is new with `#[mach(since = …)]`"
    )]
    Fingerprint {
        /// Whose host it was.
        endpoint: String,
        /// What differs, in words.
        differences: Differences,
        /// This side's type.
        ours: Box<Dialect>,
        /// The host's type.
        theirs: Box<Dialect>,
    },

    /// The host knows no such message, or no such variant of an enum inside the message.
    #[error("{}", unsupported(endpoint, *message, reason))]
    Unsupported {
        /// Whose host it was.
        endpoint: String,
        /// The endpoint's variant that the host does not have, if it is that.
        message: Option<&'static str>,
        /// The host's words.
        reason: String,
    },

    /// The host took the message off its queue and refused it.
    #[error("the host of {endpoint:?} refused the message: {reason}")]
    Rejected {
        /// Whose host it was.
        endpoint: String,
        /// The host's words.
        reason: String,
    },

    /// The host's peer policy does not admit this process, or an [interceptor](crate::Interceptor) on either side the message.
    #[error("the message to {endpoint:?} is denied: {reason}")]
    Denied {
        /// Whose host it was.
        endpoint: String,
        /// Who decides, or the interceptor's words.
        reason: String,
    },

    /// The message cannot be put into bytes.
    #[error("{endpoint:?}: {source}")]
    Encode {
        /// Whose host it was meant for.
        endpoint: String,
        /// What is wrong with it.
        source: EncodeError,
    },

    /// What came back is not a reply of the type that was asked for.
    #[error("{endpoint:?}: the reply is malformed: {source}")]
    Decode {
        /// Whose host it was.
        endpoint: String,
        /// What is wrong with it.
        source: DecodeError,
    },

    /// The parent process has handed this one no such host.
    #[error(
        "the parent of this process handed it no host of {endpoint:?}, or it has been taken: the parent calls `Host::hand_to` for each command, and the client is made once and cloned"
    )]
    NotHanded {
        /// The endpoint that was asked for.
        endpoint: String,
    },

    /// The child process has been handed a host of this endpoint already.
    #[error("the command has been handed a host of {endpoint:?} already: a child has one for each endpoint")]
    HandedAlready {
        /// The endpoint.
        endpoint: String,
    },

    /// The caller has given up: nobody waits for this reply.
    #[error("nobody waits for this reply any more: the caller has given up or died")]
    CallerGone,

    /// The [`Source`](crate::Source) of a stream is gone: dropped, or its process ended.
    #[error("nobody reads this stream any more: stop producing")]
    StreamClosed,

    /// The host has ended the stream, because it is [shutting down](crate::Host::shutdown).
    #[error(
        "the host of {endpoint:?} is shutting down and has ended the stream: end well, or keep the next one with `Sink::through_shutdown`"
    )]
    StreamStopped {
        /// Whose host it is: the one to which the sink came.
        endpoint: String,
    },

    /// The [`Source`](crate::Source) of a stream took nothing for so long, and its window is full.
    #[error(
        "the stream's reader took no item within {after:?}: look at what keeps it, or allow more with `with_deadline`"
    )]
    StreamFull {
        /// How much time there was.
        after: Duration,
    },

    /// A thread could not be started.
    #[error("{endpoint:?}: no thread for the host: {reason}")]
    Thread {
        /// The host's name.
        endpoint: String,
        /// What the system said.
        reason: String,
    },

    /// Any other code from Mach.
    #[error("{endpoint:?}: {source}")]
    Mach {
        /// The endpoint it is about.
        endpoint: String,
        /// Code, name and remedy.
        source: MachError,
    },
}

/// This side's message type, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    pub(crate) dialect: fn() -> Dialect,
    pub(crate) message_name: fn(i32) -> Option<&'static str>,
}

impl Own {
    pub(crate) fn of<M: MachMessage>() -> Self {
        Self { dialect: Dialect::of::<M>, message_name: M::message_name }
    }
}

/// A message type as one side knows it: its Rust name, the number made of all names and types inside, and their description.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// The type's path in that side's program.
    pub name: String,
    /// The schema fingerprint.
    pub fingerprint: u64,
    /// The text of the [schema](crate::message::Schema), of which the fingerprint is made. The host's is empty when it was too long.
    pub schema: String,
}

/// A message that did not leave, and why. The message is whole: its rights, files and memory are still in it.
///
/// ```no_run
/// # use machipc::{Client, Error};
/// # let client = Client::<String>::connect_to("com.example.echo")?;
/// if let Err(failed) = client.send("hello".to_owned()) {
///     eprintln!("not sent: {failed}");
///     let again: String = failed.into_message();
/// }
/// # Ok::<(), Error>(())
/// ```
pub struct SendError<T> {
    // Boxed, so that a Result of it stays small beside large messages.
    parts: Box<(T, Error)>,
}

/// Why a call of an endpoint with `flat_errors` failed: what the host answered, or what kept it from answering.
///
/// ```
/// use machipc::{CallError, MachMessage, Reply};
///
/// #[derive(MachMessage, Debug)]
/// pub struct Full {
///     limit: u32,
/// }
///
/// #[machipc::endpoint("com.example.shelf", flat_errors)]
/// pub enum Shelf<'a> {
///     Put { name: &'a str, reply: Reply<Result<(), Full>> },
/// }
///
/// fn put(shelf: &ShelfClient) -> Result<bool, machipc::Error> {
///     match shelf.put("a book") {
///         Ok(()) => Ok(true),
///         Err(CallError::Host(Full { limit })) => {
///             eprintln!("{limit} are enough");
///             Ok(false)
///         }
///         Err(CallError::Ipc(error)) => Err(error),
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub enum CallError<E> {
    /// The host's own error.
    Host(E),
    /// The call was not answered.
    Ipc(Error),
}

impl<E: fmt::Debug> fmt::Display for CallError<E> {
    // A message can be shown to users or not; what all of them can have is a `Debug` form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => write!(f, "the host answered with an error: {error:?}"),
            Self::Ipc(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Host(_) => None,
            Self::Ipc(error) => std::error::Error::source(error),
        }
    }
}

impl<E> From<Error> for CallError<E> {
    fn from(error: Error) -> Self {
        Self::Ipc(error)
    }
}

impl Error {
    /// The endpoint that the error is about, where it is about one.
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::NotFound { endpoint }
            | Self::NameTaken { endpoint, .. }
            | Self::BadName { endpoint, .. }
            | Self::HostDied { endpoint }
            | Self::HostStopping { endpoint }
            | Self::StreamStopped { endpoint }
            | Self::ReplyDropped { endpoint }
            | Self::DeadlineExceeded { endpoint, .. }
            | Self::QueueFull { endpoint }
            | Self::Fingerprint { endpoint, .. }
            | Self::Unsupported { endpoint, .. }
            | Self::Rejected { endpoint, .. }
            | Self::Denied { endpoint, .. }
            | Self::Encode { endpoint, .. }
            | Self::Decode { endpoint, .. }
            | Self::NotHanded { endpoint }
            | Self::HandedAlready { endpoint }
            | Self::Thread { endpoint, .. }
            | Self::Mach { endpoint, .. } => Some(endpoint),
            Self::NoName { .. } | Self::CallerGone | Self::StreamClosed | Self::StreamFull { .. } => None,
        }
    }

    /// What Mach itself said, where it said something.
    pub fn mach(&self) -> Option<&MachError> {
        match self {
            Self::NameTaken { source, .. } | Self::Mach { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Error {
    /// The host called `name` speaks something else. What it says of itself is bounded and harmless afterwards.
    pub(crate) fn fingerprint(
        endpoint: String,
        ours: Dialect,
        name: &str,
        fingerprint: u64,
        schema: &str,
    ) -> Self {
        let differences = Differences::between(&ours.schema, schema);
        let schema = if schema.len() <= Differences::TEXT_MAX { schema.to_owned() } else { String::new() };
        let theirs = Dialect { name: Differences::shown(name), fingerprint, schema };
        Self::Fingerprint { endpoint, differences, ours: Box::new(ours), theirs: Box::new(theirs) }
    }

    /// A service that could not be taken or found, for a reason without a variant of its own.
    pub(crate) fn from_bootstrap(endpoint: String, error: BootstrapError) -> Self {
        match error {
            BootstrapError::InvalidName { reason, .. } => Self::BadName { endpoint, reason },
            BootstrapError::Mach { source, .. } => Self::Mach { endpoint, source },
        }
    }
}

fn host_died(endpoint: &str) -> String {
    if endpoint == UNNAMED {
        "the host has died, and the right to it is of no more use: ask for another where this one came from, and repeat only what may \
         happen twice"
            .to_owned()
    } else {
        format!(
            "the host of {endpoint:?} has died: connect again once it is back, and repeat only what may happen twice"
        )
    }
}

fn unsupported(endpoint: &str, message: Option<&str>, reason: &str) -> String {
    match message {
        Some(message) => format!(
            "the host of {endpoint:?} has no message `{message}`: it is older than this client; do without, or update it"
        ),
        None => format!(
            "the host of {endpoint:?} does not know what this message holds ({reason}): it may be older than this client"
        ),
    }
}

fn name_taken(endpoint: &str, source: &MachError) -> String {
    if source.code() == mach::BOOTSTRAP_NOT_PRIVILEGED {
        format!(
            "{endpoint:?} cannot be had: another process has it, or the system keeps it from this program (a Mac's \
             sandbox, or launchd where another job declares it): stop the other host, or take another name, in a sandbox one \
             of an app group ({source})"
        )
    } else {
        format!(
            "{endpoint:?} has a host already, and a name has one host at a time: stop that one or take another name ({source})"
        )
    }
}

impl Dialect {
    /// This side's own.
    pub(crate) fn of<M: MachMessage>() -> Self {
        let name = std::any::type_name::<M>().to_owned();
        Self { name, fingerprint: M::fingerprint(), schema: Schema::of::<M>().text() }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#018x})", self.name, self.fingerprint)
    }
}

impl<T> SendError<T> {
    pub(crate) fn new(message: T, error: Error) -> Self {
        Self { parts: Box::new((message, error)) }
    }

    /// Why the message did not leave.
    pub fn error(&self) -> &Error {
        &self.parts.1
    }

    /// Drops the message, and with it the rights, files and memory in it.
    pub fn into_error(self) -> Error {
        self.parts.1
    }

    /// Takes the message back.
    pub fn into_message(self) -> T {
        self.parts.0
    }

    /// Takes both.
    pub fn into_parts(self) -> (T, Error) {
        *self.parts
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendError").field(self.error()).finish()
    }
}

impl<T> std::error::Error for SendError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.error())
    }
}

impl<T> From<SendError<T>> for Error {
    fn from(failed: SendError<T>) -> Self {
        failed.into_error()
    }
}
