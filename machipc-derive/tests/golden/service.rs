//! An endpoint that is a trait.

use machipc::{Context, Sink, Source};

/// A store of values by name.
#[machipc::endpoint("com.example.golden.service", flat_errors)]
pub trait Store {
    /// Finds a value.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    fn put(&self, key: &str, #[mach(ool)] value: &[u8], cx: &Context) -> Result<(), String>;
    fn touch(&self, r#type: u32);
    fn watch(&self, prefix: &str, events: Sink<String>);
    fn load(&self, parts: Source<Vec<u8>>) -> Result<u64, String>;
    #[oneway]
    #[mach(id = 7)]
    fn clear(&self);
}
