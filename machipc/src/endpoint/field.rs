//! Fields, as generated code sees them: by one trait each way, so that a type that cannot be sent is told once and in our words.

use crate::client::Asker;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};
use crate::{AsyncClient, Client, Error, PendingReply, Reply, ReplyValue};

/// A field of a message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a message",
    label = "is neither a message nor made of messages",
    note = "for a type of yours, write `#[derive(MachMessage)]`; `&T` and `&[T]` can be borrowed where `T` is plain data (`#[mach(pod)]`)"
)]
pub trait Field<'de>: Sized {
    /// [`Encode::MIN_SIZE`].
    const MIN_SIZE: usize;

    /// Describes the field's type.
    fn describe(schema: &mut Schema);

    /// Describes the field's type where nothing follows in the payload.
    fn describe_last(schema: &mut Schema);

    /// Writes the field called `name`.
    fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError>;

    /// Reads the field called `name`.
    fn take(input: &mut Decoder<'de>, name: &'static str) -> Result<Self, DecodeError>;

    /// Reads the field called `name`, which an older peer does not send.
    fn take_since(
        input: &mut Decoder<'de>,
        name: &'static str,
        default: impl FnOnce() -> Self,
    ) -> Result<Self, DecodeError>;
}

// The error that is wanted is the one about `Field`, not those about the bounds here.
#[diagnostic::do_not_recommend]
impl<'de, T: Encode + Decode<'de>> Field<'de> for T {
    const MIN_SIZE: usize = T::MIN_SIZE;

    fn describe(schema: &mut Schema) {
        schema.part::<T>();
    }

    fn describe_last(schema: &mut Schema) {
        schema.payload::<T>();
    }

    #[inline]
    fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError> {
        value.encode(out).map_err(|error| error.in_field(name))
    }

    #[inline]
    fn take(input: &mut Decoder<'de>, name: &'static str) -> Result<Self, DecodeError> {
        T::decode(input).map_err(|error| error.in_field(name))
    }

    #[inline]
    fn take_since(
        input: &mut Decoder<'de>,
        name: &'static str,
        default: impl FnOnce() -> Self,
    ) -> Result<Self, DecodeError> {
        input.since(default).map_err(|error| error.in_field(name))
    }
}

/// A field whose type has parameters, on its way out.
pub trait Part {
    /// [`Encode::MIN_SIZE`].
    const MIN_SIZE: usize;

    /// Describes the field's type.
    fn describe(schema: &mut Schema);

    /// Describes the field's type where nothing follows in the payload.
    fn describe_last(schema: &mut Schema);

    /// Writes the field called `name`.
    fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError>;
}

impl<T: Encode> Part for T {
    const MIN_SIZE: usize = T::MIN_SIZE;

    fn describe(schema: &mut Schema) {
        schema.part::<T>();
    }

    fn describe_last(schema: &mut Schema) {
        schema.payload::<T>();
    }

    #[inline]
    fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError> {
        value.encode(out).map_err(|error| error.in_field(name))
    }
}

/// What the field that is a `Reply<Self>` is answered with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an answer",
    label = "is neither a message nor made of messages, or cannot go to another thread",
    note = "an answer owns all that it has; for a type of yours, write `#[derive(MachMessage)]`"
)]
pub trait Answer: Sized {
    /// [`Encode::MIN_SIZE`] of the reply.
    const MIN_SIZE: usize;

    /// Describes the reply.
    fn describe(schema: &mut Schema);

    /// Describes the reply where nothing follows in the payload.
    fn describe_last(schema: &mut Schema);

    /// Writes the reply called `name`.
    fn put<'m>(reply: &'m Reply<Self>, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError>;

    /// Reads the reply called `name`.
    fn take(input: &mut Decoder<'_>, name: &'static str) -> Result<Reply<Self>, DecodeError>;

    /// Answers with what a method has returned. That the caller has gone meanwhile is no concern of the method's, and a value that cannot
    /// be encoded is told to the caller.
    fn send(reply: Reply<Self>, value: Self);

    /// Sends a request and waits for this answer.
    fn call<'m, M: MachMessage + 'static>(
        client: &Client<M>,
        request: impl FnOnce(Reply<Self>) -> M::View<'m>,
    ) -> Result<Self, Error>;

    /// What sends a request and waits for this answer without blocking the thread.
    fn asker<M: MachMessage + 'static>(client: &AsyncClient<M>) -> Asker<'_, M, Self>;

    /// Sends a request whose answer is waited for later.
    fn start<'m, M: MachMessage + 'static>(
        client: &Client<M>,
        request: impl FnOnce(Reply<Self>) -> M::View<'m>,
    ) -> Result<PendingReply<Self>, Error>;
}

#[diagnostic::do_not_recommend]
impl<T: ReplyValue> Answer for T {
    const MIN_SIZE: usize = <Reply<T> as Encode>::MIN_SIZE;

    fn describe(schema: &mut Schema) {
        schema.part::<Reply<T>>();
    }

    fn describe_last(schema: &mut Schema) {
        schema.payload::<Reply<T>>();
    }

    #[inline]
    fn put<'m>(reply: &'m Reply<Self>, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError> {
        reply.encode(out).map_err(|error| error.in_field(name))
    }

    #[inline]
    fn take(input: &mut Decoder<'_>, name: &'static str) -> Result<Reply<Self>, DecodeError> {
        Reply::decode(input).map_err(|error| error.in_field(name))
    }

    #[inline]
    fn send(reply: Reply<Self>, value: Self) {
        let _ = reply.send(value);
    }

    #[inline]
    fn call<'m, M: MachMessage + 'static>(
        client: &Client<M>,
        request: impl FnOnce(Reply<Self>) -> M::View<'m>,
    ) -> Result<Self, Error> {
        client.call(request)
    }

    #[inline]
    fn asker<M: MachMessage + 'static>(client: &AsyncClient<M>) -> Asker<'_, M, Self> {
        Asker::new(client)
    }

    #[inline]
    fn start<'m, M: MachMessage + 'static>(
        client: &Client<M>,
        request: impl FnOnce(Reply<Self>) -> M::View<'m>,
    ) -> Result<PendingReply<Self>, Error> {
        client.start(request)
    }
}
