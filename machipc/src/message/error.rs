//! What can be wrong with values and with bytes.

use core::fmt::{self, Write as _};
use std::borrow::Cow;

/// The words of an error and the way to the place where it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    /// Innermost first.
    path: Vec<Step>,
    text: Cow<'static, str>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(&'static str),
    Element(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Other,
    Fingerprint { ours: u64, theirs: u64 },
    Variant(i64),
}

impl Reason {
    #[cold]
    fn new(text: impl Into<Cow<'static, str>>, kind: Kind) -> Box<Self> {
        Box::new(Self { path: Vec::new(), text: text.into(), kind })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.path.iter().rev() {
            match step {
                Step::Field(name) => write!(f, "{name}: ")?,
                Step::Element(index) => write!(f, "element {index}: ")?,
            }
        }
        f.write_str(&self.text)
    }
}

/// Why a value cannot be encoded.
///
/// ```
/// use machipc::message::EncodeError;
///
/// let error = EncodeError::new("4294967296 elements, at most 4294967295 fit").in_field("Put.value");
/// assert_eq!(
///     error.to_string(),
///     "cannot encode the message: Put.value: 4294967296 elements, at most 4294967295 fit"
/// );
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode the message: {0}")]
pub struct EncodeError(Box<Reason>);

impl EncodeError {
    /// An error with this reason: a lower-case phrase that names what is wrong and the numbers involved.
    #[cold]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Reason::new(reason, Kind::Other))
    }

    /// The same error, inside the field with this name.
    #[cold]
    pub fn in_field(mut self, field: &'static str) -> Self {
        self.0.path.push(Step::Field(field));
        self
    }

    /// The same error, inside the element with this index.
    #[cold]
    pub fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(Step::Element(index));
        self
    }
}

impl fmt::Debug for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodeError({:?})", self.0.to_string())
    }
}

/// Why bytes are not a value.
///
/// ```
/// use machipc::message::{Decode, Decoder};
///
/// let error = <&str>::decode(&mut Decoder::new(&[12, 0, 0, 0, b'a', b'b', b'c'], None)).unwrap_err();
/// assert_eq!(error.in_field("Put.key").to_string(), "cannot decode the message: Put.key: 12 bytes wanted, 3 left");
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode the message: {0}")]
pub struct DecodeError(Box<Reason>);

impl DecodeError {
    /// An error with this reason: a lower-case phrase that names what is wrong and the numbers involved.
    #[cold]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Reason::new(reason, Kind::Other))
    }

    /// The message's id belongs to no variant of the endpoint.
    #[cold]
    pub fn unknown_variant(id: i32) -> Self {
        Self(Reason::new(format!("no variant has id {id:#x}"), Kind::Variant(id.into())))
    }

    /// The tag belongs to no variant of the enum `name`.
    #[cold]
    pub fn unknown_tag(name: &'static str, tag: u32) -> Self {
        Self(Reason::new(format!("{name} has no variant {tag}"), Kind::Variant(tag.into())))
    }

    /// The two sides were built from different definitions of `name`.
    #[cold]
    pub fn fingerprint_mismatch(name: &str, ours: u64, theirs: u64) -> Self {
        let mut text = String::new();
        let _ = write!(
            text,
            "the two sides were built from different definitions of {name}: \
             this side's fingerprint is {ours:#018x}, the sender's is {theirs:#018x}"
        );
        Self(Reason::new(text, Kind::Fingerprint { ours, theirs }))
    }

    /// This side's and the sender's fingerprint, when the error is that they differ.
    pub fn fingerprints(&self) -> Option<(u64, u64)> {
        match self.0.kind {
            Kind::Fingerprint { ours, theirs } => Some((ours, theirs)),
            _ => None,
        }
    }

    /// Whether the error is a variant (of an endpoint or of an enum) that this side does not know.
    pub fn is_unknown_variant(&self) -> bool {
        matches!(self.0.kind, Kind::Variant(_))
    }

    /// The same error, inside the field with this name.
    #[cold]
    pub fn in_field(mut self, field: &'static str) -> Self {
        self.0.path.push(Step::Field(field));
        self
    }

    /// The same error, inside the element with this index.
    #[cold]
    pub fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(Step::Element(index));
        self
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({:?})", self.0.to_string())
    }
}
