//! Paths and the system's strings: their length in bytes, then the bytes.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::owned_message;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

macro_rules! encode_as_os_str {
    ($($type:ty),*) => { $(
        impl Encode for $type {
            const MIN_SIZE: usize = 4;

            fn schema(schema: &mut Schema) {
                schema.push("osstr");
            }

            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                let bytes = AsRef::<OsStr>::as_ref(self).as_bytes();
                out.len_prefix(bytes.len())?;
                out.bytes(bytes);
                Ok(())
            }
        }
    )* };
}

encode_as_os_str!(OsStr, Path, OsString, PathBuf);

impl<'de: 'a, 'a> Decode<'de> for &'a OsStr {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.counted_bytes().map(OsStr::from_bytes)
    }
}

impl<'de: 'a, 'a> Decode<'de> for &'a Path {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        <&OsStr>::decode(input).map(Path::new)
    }
}

macro_rules! from_borrowed {
    ($($borrowed:ty: $($type:ty),*;)*) => { $(
        impl MachMessage for &$borrowed {
            type View<'a> = &'a $borrowed;
        }

        /// Borrows from the message.
        impl<'de: 'a, 'a> Decode<'de> for Cow<'a, $borrowed> {
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                <&$borrowed>::decode(input).map(Cow::Borrowed)
            }
        }

        impl MachMessage for Cow<'_, $borrowed> {
            type View<'a> = Cow<'a, $borrowed>;
        }

        $(
            impl<'de> Decode<'de> for $type {
                fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                    <&$borrowed>::decode(input).map(Into::into)
                }
            }

            owned_message!($type);
        )*
    )* };
}

from_borrowed! {
    OsStr: OsString, Box<OsStr>, Rc<OsStr>, Arc<OsStr>;
    Path: PathBuf, Box<Path>, Rc<Path>, Arc<Path>;
}
