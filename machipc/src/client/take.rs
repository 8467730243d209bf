//! What becomes of an answer on the caller's side.

use crate::error::Own;
use crate::message::Encode;
use crate::port::Received;
use crate::reply::wire::{self, Answered};
use crate::reply::{ReplyValue, ReplyView};

/// Takes an answer of type `T`, once.
pub(super) trait Take<T>: Sized {
    type Taken;

    /// Takes what came to a reply port. What is there is used up by an answer alone: a call that was refused may be made again.
    fn take(
        this: &mut Option<Self>,
        received: &Received<'_>,
        endpoint: &str,
        ours: Own,
    ) -> Answered<Taken<Self::Taken>>;

    /// Takes the answer of a host in this process.
    fn take_value(self, value: T) -> Taken<Self::Taken>;
}

pub(super) struct Taken<R> {
    pub(super) value: R,
    /// The answer was an `Err`.
    pub(super) is_failure: bool,
}

/// Takes the answer itself.
pub(super) struct Keep;

impl<T: ReplyValue> Take<T> for Keep {
    type Taken = T;

    #[inline]
    fn take(_: &mut Option<Self>, received: &Received<'_>, endpoint: &str, ours: Own) -> Answered<Taken<T>> {
        wire::read(received, endpoint, ours).and_then(|value| Answered::Value(Self.take_value(value)))
    }

    #[inline]
    fn take_value(self, value: T) -> Taken<T> {
        Taken { is_failure: value.is_failure(), value }
    }
}

/// Takes what somebody returns who looks at the answer.
pub(super) struct Look<F>(pub(super) F);

impl<F> Look<F> {
    fn at<V: Encode, R>(self, view: V) -> Taken<R>
    where
        F: FnOnce(V) -> R,
    {
        Taken { is_failure: view.is_failure(), value: self.0(view) }
    }
}

impl<T: ReplyView, R, F: FnOnce(T::View<'_>) -> R> Take<T> for Look<F> {
    type Taken = R;

    fn take(
        this: &mut Option<Self>,
        received: &Received<'_>,
        endpoint: &str,
        ours: Own,
    ) -> Answered<Taken<R>> {
        wire::read_view::<T, _>(received, endpoint, ours, |view| this.take().map(|look| look.at(view)))
            .and_then(|taken| taken.map_or(Answered::Lost, Answered::Value))
    }

    fn take_value(self, value: T) -> Taken<R> {
        self.at(value.view())
    }
}
