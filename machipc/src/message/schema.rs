//! The description of a type that both sides of a link must share.

use super::Encode;

/// A canonical text of a type's names and types, and the number made of it.
#[derive(Debug, Default)]
pub struct Schema {
    text: String,
    open: Vec<&'static str>,
}

impl Schema {
    /// The schema of `T`.
    pub fn of<T: Encode + ?Sized>() -> Self {
        let mut schema = Self::default();
        T::schema(&mut schema);
        schema
    }
    /// Appends text.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }
    /// Appends a named type; `body` is not called when the type is being described already (a recursive type).
    pub fn named(&mut self, name: &'static str, body: impl FnOnce(&mut Self)) {
        self.push(name);
        if self.open.contains(&name) {
            return;
        }
        self.open.push(name);
        body(self);
        self.open.pop();
    }
    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// 64-bit FNV-1a of the text.
    pub fn fingerprint(&self) -> u64 {
        self.text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }
}
