//! An endpoint that is a trait.

use machipc::Context;

/// A store of values by name.
#[machipc::endpoint("com.example.golden.service")]
pub trait Store {
    /// Finds a value.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    fn put(&self, key: &str, #[mach(ool)] value: &[u8], cx: &Context) -> Result<(), String>;
    fn touch(&self, r#type: u32);
    #[oneway]
    #[mach(id = 7)]
    fn clear(&self);
}
