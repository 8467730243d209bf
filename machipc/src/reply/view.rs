//! Answers that are sent and read without a value of their own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::ReplyValue;
use crate::message::{Decode, Encode, Pod};

/// An answer that has a borrowed form with the same bytes, as `&str` is a `String`'s.
///
/// With it a host answers from memory that it goes on using ([`Reply::send_view`](super::Reply::send_view)), and a caller reads an answer where it
/// was received ([`Client::call_view`](crate::Client::call_view)). Both save an allocation and a copy, each on its own side: the other side
/// need not know, and the message is the same.
///
/// | answer | view |
/// |---|---|
/// | `Vec<T>` of plain data, `Vec<u8>` among them | `&[T]` |
/// | `String`, `PathBuf`, `OsString` | `&str`, `&Path`, `&OsStr` |
/// | plain data: numbers, arrays of them, [`#[machipc::pod]`](macro@crate::pod) | `&T` |
/// | `Option<T>`, `Result<T, E>`, tuples of up to four | the same of views |
///
/// A type of your own implements it with a struct that borrows and has the same fields in the same order:
///
/// ```
/// use machipc::{MachMessage, ReplyView};
///
/// #[derive(MachMessage)]
/// struct Page {
///     number: u32,
///     text: String,
/// }
///
/// #[derive(MachMessage)]
/// struct PageView<'a> {
///     number: u32,
///     text: &'a str,
/// }
///
/// impl ReplyView for Page {
///     type View<'a> = PageView<'a>;
///
///     fn view(&self) -> PageView<'_> {
///         PageView { number: self.number, text: &self.text }
///     }
///
///     fn into_owned(view: PageView<'_>) -> Self {
///         Self { number: view.number, text: view.text.to_owned() }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no borrowed form as an answer",
    note = "`String`, `Vec` of plain data, plain data, and `Option`, `Result` and tuples of them have; others are sent with \
            `Reply::send` and received with `Client::call`, or implement `ReplyView`"
)]
pub trait ReplyView: ReplyValue {
    /// The borrowed form. It has to be encoded as the value is: whoever receives it reads a `Self`, and gets [`Error::Decode`](crate::Error::Decode), or
    /// another value, where it is not.
    type View<'a>: Encode + Decode<'a>;

    /// Borrows the value, for a caller in the host's process.
    fn view(&self) -> Self::View<'_>;

    /// Makes a value of it, for a caller in the host's process.
    fn into_owned(view: Self::View<'_>) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Pod + Clone + Send + for<'de> Decode<'de>> ReplyView for T {
    type View<'a> = &'a T;

    fn view(&self) -> &T {
        self
    }

    fn into_owned(view: &T) -> T {
        view.clone()
    }
}

impl<T: Pod + Clone + Send + for<'de> Decode<'de>> ReplyView for Vec<T> {
    type View<'a> = &'a [T];

    fn view(&self) -> &[T] {
        self
    }

    fn into_owned(view: &[T]) -> Self {
        view.to_vec()
    }
}

macro_rules! borrowed {
    ($($owned:ty: $borrowed:ty;)*) => { $(
        impl ReplyView for $owned {
            type View<'a> = &'a $borrowed;

            fn view(&self) -> &$borrowed {
                self
            }

            fn into_owned(view: &$borrowed) -> Self {
                view.to_owned()
            }
        }
    )* };
}

borrowed! {
    String: str;
    OsString: OsStr;
    PathBuf: Path;
}

impl<T: ReplyView> ReplyView for Option<T> {
    type View<'a> = Option<T::View<'a>>;

    fn view(&self) -> Option<T::View<'_>> {
        self.as_ref().map(T::view)
    }

    fn into_owned(view: Option<T::View<'_>>) -> Self {
        view.map(T::into_owned)
    }
}

impl<T: ReplyView, E: ReplyView> ReplyView for Result<T, E> {
    type View<'a> = Result<T::View<'a>, E::View<'a>>;

    fn view(&self) -> Result<T::View<'_>, E::View<'_>> {
        self.as_ref().map(T::view).map_err(E::view)
    }

    fn into_owned(view: Result<T::View<'_>, E::View<'_>>) -> Self {
        view.map(T::into_owned).map_err(E::into_owned)
    }
}

macro_rules! tuple {
    ($(($($field:ident $index:tt),*);)*) => { $(
        impl<$($field: ReplyView),*> ReplyView for ($($field,)*) {
            type View<'a> = ($($field::View<'a>,)*);

            #[allow(clippy::unused_unit)] // the empty tuple is its own view
            fn view(&self) -> ($($field::View<'_>,)*) {
                ($(self.$index.view(),)*)
            }

            #[allow(clippy::unused_unit, unused_variables)] // the empty tuple is its own view
            fn into_owned(view: ($($field::View<'_>,)*)) -> Self {
                ($($field::into_owned(view.$index),)*)
            }
        }
    )* };
}

tuple! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
}
