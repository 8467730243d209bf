//! An endpoint that is a trait with asynchronous methods.

use machipc::Context;

/// Values that take a while.
#[machipc::endpoint("com.example.golden.async")]
pub trait Slow {
    /// Finds a value.
    async fn fetch(&self, key: &str, cx: &Context) -> Option<Vec<u8>>;
    #[oneway]
    async fn forget(&self, key: String);
}
