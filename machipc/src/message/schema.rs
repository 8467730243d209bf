//! The description of a type that both sides must share.

mod differences;
mod parts;

use core::cell::Cell;
use core::fmt::Write as _;

use super::Encode;

pub use differences::Differences;

/// A canonical text of a type's names and types, and the number made of it.
///
/// The text is a list of definitions. The type itself is the first line; each named type (a struct or an enum) is
/// described once, on a line of its own, and is written `#n` where it is used, so that recursive types end and the text grows only
/// with the number of types. Types that are the same on the wire are the same in the text: `String`, `&str` and `Box<str>` are
/// all `str`.
///
/// ```
/// use machipc::message::Schema;
///
/// assert_eq!(Schema::of::<(u8, Vec<Option<String>>)>().text(), "(u8,[?str])");
/// assert_eq!(Schema::of::<&[u16]>().fingerprint(), Schema::of::<Vec<u16>>().fingerprint());
/// assert_ne!(Schema::of::<Vec<u8>>().fingerprint(), Schema::of::<Vec<i8>>().fingerprint());
/// ```
#[derive(Debug, Default)]
pub struct Schema {
    /// What is being described: a named type's body, or the root.
    current: String,
    /// The named type whose body it is.
    innermost: Option<usize>,
    definitions: Vec<Definition>,
    /// Rust's name of a type and its definition: one definition may have several.
    names: Vec<(&'static str, usize)>,
    /// The next named type is all of a payload: its extension may be absent.
    payload: bool,
}

#[derive(Debug)]
struct Definition {
    text: String,
    extensible: bool,
}

impl Schema {
    /// The schema of `T`, as a whole message's payload.
    pub fn of<T: Encode + ?Sized>() -> Self {
        let mut schema = Self::default();
        schema.payload::<T>();
        schema
    }

    /// The fingerprint of `T`'s schema, remembered by each thread: cheap enough for every message.
    pub fn fingerprint_of<T: Encode + ?Sized>() -> u64 {
        /// Types that are alike to the function below get on as long as there are no more of them.
        const WAYS: usize = 4;
        const SETS: usize = 16;
        /// A type's description, its name, and its fingerprint.
        type Slot = Cell<Option<(usize, &'static str, u64)>>;
        thread_local! {
            static REMEMBERED: [[Slot; WAYS]; SETS] =
                const { [const { [const { Cell::new(None) }; WAYS] }; SETS] };
        }
        // Neither is unique, but types that share both have the same description.
        let describe = T::schema as fn(&mut Schema) as usize;
        let name = core::any::type_name::<T>();
        let set = ((describe as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize;
        REMEMBERED.with(|sets| {
            let ways = &sets[set];
            for way in ways {
                if let Some((known, its_name, fingerprint)) = way.get()
                    && known == describe
                    && (core::ptr::eq(its_name, name) || its_name == name)
                {
                    return fingerprint;
                }
            }
            let fingerprint = Self::of::<T>().fingerprint();
            // The one that has been there longest goes.
            (1..WAYS).rev().for_each(|way| ways[way].set(ways[way - 1].get()));
            ways[0].set(Some((describe, name, fingerprint)));
            fingerprint
        })
    }

    /// Appends text: the punctuation of a composed type, a field's or a variant's name.
    pub fn push(&mut self, text: &str) {
        self.current.push_str(text);
    }

    /// Appends the description of `T`.
    pub fn part<T: Encode + ?Sized>(&mut self) {
        self.payload = false;
        T::schema(self);
    }

    /// Appends the description of `T` where it is all that a payload holds: the root, the last field of an endpoint's variant, an answer, or what a
    /// right carries.
    /// There, a struct may gain its first `since` field without becoming another type.
    pub fn payload<T: Encode + ?Sized>(&mut self) {
        self.payload = true;
        T::schema(self);
        self.payload = false;
    }

    /// Appends the named type `T`. `body` describes what is in it; it is called only where this is the first mention of the type.
    pub fn named<T: ?Sized>(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        self.define(core::any::type_name::<T>(), name, false, body);
    }

    /// As [`named`](Self::named), for a struct that has `since` fields. `body` leaves them out: they are not a part of the fingerprint.
    pub fn extensible<T: ?Sized>(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        self.define(core::any::type_name::<T>(), name, true, body);
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut text = self.current.clone();
        for (index, definition) in self.definitions.iter().enumerate() {
            let _ = write!(text, "\n#{index} = {}", definition.text);
        }
        text
    }

    /// 64-bit FNV-1a of the text.
    pub fn fingerprint(&self) -> u64 {
        self.text()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    /// What differs between this schema, "here", and another's [`text`](Self::text), "in the host". The text may come from anybody.
    ///
    /// ```
    /// use machipc::message::Schema;
    ///
    /// mod host {
    ///     #[derive(machipc::MachMessage)]
    ///     pub struct Put { key: u32, value: Vec<u8> }
    /// }
    /// #[derive(machipc::MachMessage)]
    /// struct Put { key: String, value: Vec<u8> }
    ///
    /// let differences = Schema::of::<Put>().differences(&Schema::of::<host::Put>().text());
    /// assert_eq!(differences.to_string(), "`Put`: field `key` is `str` here and `u32` in the host");
    /// ```
    pub fn differences(&self, theirs: &str) -> Differences {
        Differences::between(&self.text(), theirs)
    }

    fn define(&mut self, key: &'static str, name: &str, extensible: bool, body: impl FnOnce(&mut Self)) {
        let in_payload = core::mem::take(&mut self.payload);
        let known = self.names.iter().find(|(known, _)| *known == key).map(|(_, index)| *index);
        let index = known.unwrap_or_else(|| self.describe(key, name, extensible, body));
        if self.innermost == Some(index) {
            self.push("#self");
        } else {
            let _ = write!(self.current, "#{index}");
        }
        // Behind an extension other fields follow: then it matters whether there is one.
        if self.definitions[index].extensible && !in_payload {
            self.push("+");
        }
    }

    fn describe(
        &mut self,
        key: &'static str,
        name: &str,
        extensible: bool,
        body: impl FnOnce(&mut Self),
    ) -> usize {
        let index = self.definitions.len();
        self.definitions.push(Definition { text: String::new(), extensible });
        self.names.push((key, index));
        let outer = core::mem::replace(&mut self.current, name.to_owned());
        let around = self.innermost.replace(index);
        body(self);
        self.innermost = around;
        let text = core::mem::replace(&mut self.current, outer);
        // `Pair<&str>` and `Pair<String>` are two types here and one on the wire.
        let twin = self.definitions[..index]
            .iter()
            .position(|other| other.text == text && other.extensible == extensible);
        match twin {
            Some(twin) if index + 1 == self.definitions.len() => {
                self.definitions.pop();
                self.names.retain(|(_, known)| *known != index);
                self.names.push((key, twin));
                twin
            }
            _ => {
                self.definitions[index].text = text;
                index
            }
        }
    }
}
