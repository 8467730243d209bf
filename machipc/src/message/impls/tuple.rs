//! Tuples: their fields in order.

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

macro_rules! tuple {
    ($(($($field:ident $index:tt),*);)*) => { $(
        impl<$($field: Encode),*> Encode for ($($field,)*) {
            const MIN_SIZE: usize = 0 $(+ $field::MIN_SIZE)*;

            fn schema(schema: &mut Schema) {
                schema.push("(");
                $(
                    if $index != 0 {
                        schema.push(",");
                    }
                    schema.part::<$field>();
                )*
                schema.push(")");
            }

            #[inline]
            #[allow(unused_variables)] // the empty tuple writes nothing
            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                $(self.$index.encode(out).map_err(|error| error.in_field(stringify!($index)))?;)*
                Ok(())
            }
        }

        impl<'de, $($field: Decode<'de>),*> Decode<'de> for ($($field,)*) {
            #[inline]
            #[allow(unused_variables)] // the empty tuple reads nothing
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                Ok(($($field::decode(input).map_err(|error| error.in_field(stringify!($index)))?,)*))
            }
        }

        impl<$($field: MachMessage),*> MachMessage for ($($field,)*) {
            type View<'a> = ($($field::View<'a>,)*);
        }
    )* };
}

tuple! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
}
