//! Hooks around every message, on either side.

mod counters;
mod permission;
mod spans;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::message::TraceContext;
use crate::port::Sender;

pub use counters::{Counters, MessageCount};
pub use permission::Permission;
pub use spans::Spans;
pub(crate) use watch::{Chain, Watch};

/// A hook around every message of a host ([`HostBuilder::intercept`](crate::HostBuilder::intercept)) or of a client
/// ([`Client::with_interceptor`](crate::Client::with_interceptor)): one-way messages and calls, blocking and asynchronous, through the port and on
/// the short cut.
///
/// What a host has not let come so far is not shown, and counted in its [`HostStats`](crate::HostStats): messages from processes that the
/// [`PeerPolicy`](crate::PeerPolicy) does not admit, and requests whose caller has gone.
///
/// For each message [`before`](Self::before) is called, and once it has let the message pass, [`after`](Self::after), exactly once. Several
/// interceptors are asked in the order in which they were added, and told in the opposite order; one that denies a message is the last
/// to be asked. They run on the thread that handles or sends the message, on several at once: what takes long holds it up. A panic in one
/// ends there: in `before` it denies the message.
///
/// Ready made: [`Counters`], [`Permission`], [`Spans`]. Hosts and clients without interceptors pay one comparison a message.
///
/// ```no_run
/// use machipc::{Context, Denial, Host, Interceptor, MessageInfo, Outcome};
/// use std::time::Duration;
///
/// struct Slow(Duration);
///
/// impl Interceptor for Slow {
///     fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, took: Duration) {
///         if took > self.0 {
///             eprintln!("{} of {}: {outcome} after {took:?}", message.name().unwrap_or("a message"), message.endpoint());
///         }
///     }
/// }
///
/// let host = Host::<String>::builder()
///     .name("com.example.echo")
///     .intercept(Slow(Duration::from_millis(10)))
///     .bind(|text: String, _: &Context| println!("{text}"))?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no interceptor",
    note = "implement `Interceptor`, or take `Permission::new(closure)`, `Counters` or `Spans`"
)]
pub trait Interceptor: Send + Sync + 'static {
    /// Lets a message pass, or denies it: to the handler at a host, to the host at a client.
    ///
    /// A host has not looked into the message yet. It counts a denial ([`HostStats::denied`](crate::HostStats)), writes about it, and gives a
    /// caller [`Error::Denied`] with the reason; a client that is denied gets the same error from its own side.
    fn before(&self, message: &MessageInfo) -> Result<(), Denial> {
        let _ = message;
        Ok(())
    }

    /// The span in which the message is handled or sent: a host enters it around the handler, wherever that runs. By default none.
    fn span(&self, message: &MessageInfo) -> tracing::Span {
        let _ = message;
        tracing::Span::none()
    }

    /// What came of a message that has passed, `took` after that. Called inside this interceptor's [`span`](Self::span).
    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, took: Duration) {
        let _ = (message, outcome, took);
    }
}

/// What an [`Interceptor`] gets to know about a message.
#[derive(Debug, Clone)]
pub struct MessageInfo {
    pub(crate) side: Side,
    pub(crate) endpoint: Arc<str>,
    pub(crate) id: i32,
    pub(crate) name: Option<&'static str>,
    pub(crate) peer: Option<Sender>,
    pub(crate) size: usize,
    pub(crate) reply_size: usize,
    pub(crate) request: bool,
    pub(crate) local: bool,
    pub(crate) trace: Option<TraceContext>,
}

/// On which side of a message an [`Interceptor`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The message was received, and is handled or refused.
    Host,
    /// The message is sent.
    Client,
}

impl MessageInfo {
    /// On which side the interceptor is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The endpoint's name, or `(unnamed)`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The message's `msgh_id`: which variant of the endpoint it is. At a host it may be any number, as the peer wrote it.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The name of the endpoint's variant; `None` for plain messages, and for an id that the endpoint does not have.
    pub fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// The process that sent the message, as the kernel vouches for it; `None` at a client.
    pub fn peer(&self) -> Option<&Sender> {
        self.peer.as_ref()
    }

    /// How many bytes the message has as it travels, with its header and without memory out of line: both sides are told the same. A client
    /// knows it [after](Interceptor::after) the message was put into bytes, and it is 0 before. It is 0 on the short cut, too, where nothing is
    /// put into bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many bytes the answer has, as [`size`](Self::size) counts them: at a client once it has come, also if it says why there is none; at a
    /// host if the handler has sent it. Otherwise, and always on the short cut, 0.
    pub fn reply_size(&self) -> usize {
        self.reply_size
    }

    /// Whether somebody waits for an answer.
    pub fn is_request(&self) -> bool {
        self.request
    }

    /// The trace that the message belongs to, and its step in it: as it was sent, or at a client as it is sent.
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// Whether the message takes the [short cut](crate::registry) inside the process.
    pub fn is_local(&self) -> bool {
        self.local
    }
}

/// What came of a message, as far as it is known when [`Interceptor::after`] is called: at a host when the handler has returned or its future
/// is ready, at a client when the message has left or the answer is there.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// At a host: a one-way message was handled, or the answer was sent. At a client: a one-way message is in the host's queue or batch, or the
    /// answer is there.
    ///
    /// An answer by [`Reply::send_on_return`](crate::Reply::send_on_return) counts as sent: it leaves right after this.
    Done,
    /// As `Done`, and the answer is an `Err`: a request's own error, of a `Reply<Result<T, E>>`.
    AnsweredErr,
    /// At a host: the handler has returned, and the reply is still there, for an answer that comes later, or has been passed on to another
    /// host. What becomes of it then is not told.
    ReplyKept,
    /// At a host: the handler has dropped the reply, or the answer could not be put into bytes. The caller gets
    /// [`Error::ReplyDropped`](crate::Error::ReplyDropped) or [`Error::Rejected`](crate::Error::Rejected).
    ReplyDropped,
    /// At a host: when the handler answered or dropped the reply, nobody waited any more. Not seen of an answer by
    /// [`Reply::send_on_return`](crate::Reply::send_on_return).
    CallerGone,
    /// At a client: the host's queue was full, and the client [drops](crate::WhenFull::DropNewest) what finds no room. Messages of a batch
    /// are `Done` when they are in it.
    Discarded,
    /// The handler panicked, whether or not it had answered.
    Panicked,
    /// The host has not given the message to the handler, for this reason. [`HostStats`](crate::HostStats) counts the kinds.
    Refused(&'a dyn Reason),
    /// The client got this error.
    Failed(&'a Error),
    /// The future of the handler, of the sending or of the answer was dropped before it was ready.
    Cancelled,
}

/// Words that can be shown.
pub trait Reason: fmt::Display + fmt::Debug {}

impl<T: fmt::Display + fmt::Debug> Reason for T {}

impl Outcome<'_> {
    /// Whether the message was dealt with: it is `Done`, `AnsweredErr` or `ReplyKept`.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done | Self::AnsweredErr | Self::ReplyKept)
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::AnsweredErr => f.write_str("answered with an error"),
            Self::ReplyKept => f.write_str("the reply was kept for later"),
            Self::ReplyDropped => f.write_str("the reply was dropped"),
            Self::CallerGone => f.write_str("the caller had gone"),
            Self::Discarded => f.write_str("discarded: the host's queue was full"),
            Self::Panicked => f.write_str("the handler panicked"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// Why an [`Interceptor`] does not let a message pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    reason: String,
}

impl Denial {
    /// A denial with the words that the caller gets to read.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    /// The words.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Shared ones, for instance [`Counters`] that are read while they count.
impl<I: Interceptor + ?Sized> Interceptor for Arc<I> {
    fn before(&self, message: &MessageInfo) -> Result<(), Denial> {
        (**self).before(message)
    }

    fn span(&self, message: &MessageInfo) -> tracing::Span {
        (**self).span(message)
    }

    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, took: Duration) {
        (**self).after(message, outcome, took);
    }
}
