//! What can be wrong with bytes.

/// Why a value cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode the message: {reason}")]
pub struct EncodeError {
    reason: String,
}

impl EncodeError {
    /// An error with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Why bytes are not a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode the message: {reason}")]
pub struct DecodeError {
    reason: String,
}

impl DecodeError {
    /// An error with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
    /// The id belongs to no variant.
    pub fn unknown_variant(id: i32) -> Self {
        Self::new(format!("no variant has id {id:#x}"))
    }
}
