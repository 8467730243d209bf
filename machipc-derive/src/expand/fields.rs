//! Writing and reading the fields of a struct or of a variant.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Ident, Member};

use crate::ast::Shape;
use crate::generics;
use crate::model::{Group, Model, Part, Role};

/// The statements that write the fields. `access` says how a field is reached, and `place` where it is, for errors: `Kv::Get`.
pub fn put(model: &Model, group: &Group, place: &str, access: impl Fn(&Part) -> TokenStream) -> TokenStream {
    let put = |field: &Part| {
        let codec = codec(model, field, Direction::Out);
        let value = access(field);
        let name = format!("{place}.{}", field.name());
        quote!(#codec::put(#value, __out, #name)?;)
    };
    let base = group.base().map(put);
    let extension = group.is_extended().then(|| {
        let extension = group.extension().map(put);
        quote! {
            __out.extension(|__out| {
                #(#extension)*
                __rt::Ok(())
            })?;
        }
    });
    quote!(#(#base)* #extension)
}

/// The block that reads the fields and makes `constructor` of them.
pub fn take(model: &Model, group: &Group, place: &str, constructor: &TokenStream) -> TokenStream {
    let name_of = |field: &Part| format!("{place}.{}", field.name());
    let read = |field: &Part| {
        let codec = codec(model, field, Direction::In);
        let name = name_of(field);
        quote!(#codec::take(__input, #name)?)
    };
    let base = group.base().map(|field| {
        let binding = binding(field);
        let value = read(field);
        quote!(let #binding = #value;)
    });
    let extension = group.is_extended().then(|| {
        let bindings = group.extension().map(binding);
        let values = group.extension().map(|field| {
            let codec = codec(model, field, Direction::In);
            let name = name_of(field);
            match &field.role {
                Role::Since { default, .. } => quote!(#codec::take_since(__input, #name, || #default)?),
                _ => read(field),
            }
        });
        quote! {
            let (#(#bindings,)*) = __input.extension(|__input| __rt::Ok((#(#values,)*)))?;
        }
    });
    let construct = construct(group, constructor, binding);
    quote!(#(#base)* #extension __rt::Ok(#construct))
}

/// `constructor` as a pattern that binds each field, or as an expression that uses the bindings.
pub fn construct(group: &Group, constructor: &TokenStream, value: impl Fn(&Part) -> Ident) -> TokenStream {
    let fields = group.fields.iter().map(|field| {
        let value = value(field);
        match field.member {
            Member::Named(name) if *name == value => quote!(#name),
            Member::Named(name) => quote!(#name: #value),
            Member::Unnamed(_) => quote!(#value),
        }
    });
    match group.shape {
        Shape::Named => quote!(#constructor { #(#fields),* }),
        Shape::Tuple => quote!(#constructor(#(#fields),*)),
        Shape::Unit => quote!(#constructor),
    }
}

/// The sum of the least sizes of the fields.
pub fn min_size(model: &Model, group: &Group) -> TokenStream {
    let base = group.base().map(|field| {
        let codec = codec(model, field, Direction::Out);
        quote!(#codec::MIN_SIZE)
    });
    // The length of the extension.
    let extension = group.is_extended().then(|| quote!(4));
    let mut sizes: Vec<TokenStream> = base.chain(extension).collect();
    if sizes.is_empty() {
        sizes.push(quote!(0));
    }
    quote!(#(#sizes)+*)
}

/// The variable that holds a field. The underscores keep it apart from the user's constants, which patterns would compare with.
pub fn binding(field: &Part) -> Ident {
    match field.member {
        Member::Named(_) => format_ident!("__{}", field.name(), span = Span::mixed_site()),
        Member::Unnamed(index) => format_ident!("__field_{}", index.index, span = Span::mixed_site()),
    }
}

/// Which way a field goes.
#[derive(Clone, Copy, PartialEq)]
pub enum Direction {
    In,
    Out,
}

/// The trait through which a field travels, with the field's type: `<u32 as __rt::Field>`.
pub fn codec(model: &Model, field: &Part, direction: Direction) -> TokenStream {
    let ty = field.ty;
    // What is written need not be readable for every parameter: the bounds of `Encode` say nothing of reading.
    let is_generic_part = direction == Direction::Out && generics::is_generic(model, ty);
    match &field.role {
        Role::Reply(answer) => quote!(<#answer as __rt::Answer>),
        Role::OutOfLine | Role::Since { out_of_line: true, .. } if is_generic_part => {
            quote!(<#ty as __rt::OutOfLinePart>)
        }
        Role::OutOfLine | Role::Since { out_of_line: true, .. } => quote!(<#ty as __rt::OutOfLine>),
        _ if is_generic_part => quote!(<#ty as __rt::Part>),
        _ => quote!(<#ty as __rt::Field>),
    }
}
