//! What the seam's definitions are, as data: the tables that are compared with Apple's own headers.
//!
//! The macros here surround the definitions in the neighbouring files, so that a table cannot leave anything out and
//! cannot drift from what the compiler sees. The example `layout_asserts` turns the tables into C assertions, and
//! `.ci/darwin` compiles those against the headers. Nothing refers to the tables at run time, so they cost nothing.

/// Every name for an integer type.
pub const INTEGERS: &[Integer] = super::types::INTEGERS;
/// Every struct, by the header it is from.
pub const STRUCTS: &[&[Struct]] = &[super::types::STRUCTS, super::kqueue::STRUCTS];
/// Every constant, likewise.
pub const CONSTANTS: &[&[Constant]] = &[super::constants::CONSTANTS, super::kqueue::CONSTANTS];
/// Every function that the Apple backend calls.
pub const FUNCTIONS: &[Function] = super::prototypes::FUNCTIONS;

/// A struct as the compiler lays it out.
#[derive(Debug)]
pub struct Struct {
    /// The C name.
    pub name: &'static str,
    /// Size in bytes.
    pub size: usize,
    /// Alignment in bytes.
    pub align: usize,
    /// Every field, in order.
    pub fields: &'static [Field],
}

/// A field of a [`Struct`].
#[derive(Debug)]
pub struct Field {
    /// The C name.
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

/// A name for an integer type.
#[derive(Debug)]
pub struct Integer {
    /// The C name.
    pub name: &'static str,
    /// Size in bytes.
    pub size: usize,
    /// Whether it has a sign.
    pub signed: bool,
}

/// A constant.
#[derive(Debug)]
pub struct Constant {
    /// The C name.
    pub name: &'static str,
    /// The value: the same number that C has once it is converted to `long long`.
    pub value: i64,
}

/// A function that the Apple backend calls.
#[derive(Debug)]
pub struct Function {
    /// The C name.
    pub name: &'static str,
    /// The Rust type of each argument.
    pub arguments: &'static [&'static str],
    /// The Rust type of the result.
    pub result: &'static str,
}

/// Size of what a function returns: used with field accessors to learn the size of a field.
pub(super) const fn size_of_result<T: Copy, F: Copy>(_field_of: fn(T) -> F) -> usize {
    size_of::<F>()
}

/// Surrounds the aliases of integer types and collects them in `INTEGERS`.
macro_rules! integers {
    ($($(#[$meta:meta])* pub type $name:ident = $type:ty;)*) => {
        $($(#[$meta])* pub type $name = $type;)*

        #[expect(unused_comparisons, reason = "how a table of mixed types learns of a sign")]
        pub(in crate::mach) const INTEGERS: &[$crate::mach::layout::Integer] = &[
            $($crate::mach::layout::Integer {
                name: stringify!($name),
                size: size_of::<$name>(),
                signed: <$name>::MIN < 0,
            }),*
        ];
    };
}

/// States the layout of each struct a second time, asserts that it is what the compiler made of the definition, and
/// collects what the compiler made in `STRUCTS`.
macro_rules! structs {
    ($($name:ident: $size:literal, $align:literal { $($field:ident @ $offset:literal),* $(,)? })*) => {
        $(const _: () = {
            assert!(size_of::<$name>() == $size);
            assert!(align_of::<$name>() == $align);
            $(assert!(core::mem::offset_of!($name, $field) == $offset);)*
            // No padding, and no field left out of the table.
            let listed = 0 $(+ $crate::mach::layout::size_of_result(|value: $name| value.$field))*;
            assert!(listed == $size);
        };)*

        pub(in crate::mach) const STRUCTS: &[$crate::mach::layout::Struct] = &[
            $($crate::mach::layout::Struct {
                name: stringify!($name),
                size: size_of::<$name>(),
                align: align_of::<$name>(),
                fields: &[$($crate::mach::layout::Field {
                    name: stringify!($field),
                    offset: core::mem::offset_of!($name, $field),
                    size: $crate::mach::layout::size_of_result(|value: $name| value.$field),
                }),*],
            }),*
        ];
    };
}

/// Surrounds the constants and collects them in `CONSTANTS`.
macro_rules! constants {
    ($($(#[$meta:meta])* pub const $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[$meta])* pub const $name: $type = $value;)*

        pub(in crate::mach) const CONSTANTS: &[$crate::mach::layout::Constant] = &[
            $($crate::mach::layout::Constant { name: stringify!($name), value: $name as i64 }),*
        ];
    };
}
