//! Plain data: one copy each way.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::message;
use super::schema::Text;
use crate::ast::Shape;
use crate::generics::{self, Head, Needs};
use crate::model::{Group, Model, Pod};
use crate::names;

/// The impls of plain data.
pub fn expand(model: &Model, pod: &Pod) -> TokenStream {
    let message_lifetime = names::fresh_lifetime("m", model.generics);
    let input_lifetime = generics::input_lifetime(model);
    let Head { parameters, own, bounds } = Head::of(model, Needs::Encode);
    let user_bounds = Head::of(model, Needs::Nothing).bounds;
    let decode_parameters = Head::of(model, Needs::Decode(&input_lifetime)).parameters;
    let describe = describe(model, pod);
    let message = message::message(model, &TokenStream::new());
    let padding = padding(model, pod);
    quote! {
        #padding

        #[automatically_derived]
        impl #parameters __rt::DerivedPod for #own #user_bounds {}

        #[automatically_derived]
        impl #parameters __rt::Encode for #own #bounds {
            const MIN_SIZE: __rt::usize = __rt::size_of::<Self>();

            fn schema(__schema: &mut __rt::Schema) {
                #describe
            }

            #[inline]
            fn encode<#message_lifetime>(
                &#message_lifetime self,
                __out: &mut __rt::Encoder<#message_lifetime>,
            ) -> __rt::Result<(), __rt::EncodeError> {
                <#own as __rt::PlainData>::put(self, __out)
            }

            #[inline]
            fn encode_slice<#message_lifetime>(
                __values: &#message_lifetime [Self],
                __out: &mut __rt::Encoder<#message_lifetime>,
            ) -> __rt::Result<(), __rt::EncodeError> {
                <#own as __rt::PlainData>::put_slice(__values, __out)
            }
        }

        #[automatically_derived]
        impl #decode_parameters __rt::Decode<#input_lifetime> for #own #bounds {
            #[inline]
            fn decode(
                __input: &mut __rt::Decoder<#input_lifetime>,
            ) -> __rt::Result<Self, __rt::DecodeError> {
                <#own as __rt::PlainData>::take(__input)
            }

            #[inline]
            fn decode_vec(
                __count: __rt::usize,
                __input: &mut __rt::Decoder<#input_lifetime>,
            ) -> __rt::Result<__rt::Vec<Self>, __rt::DecodeError> {
                <#own as __rt::PlainData>::take_vec(__count, __input)
            }

            #[inline]
            fn decode_array<const __N: __rt::usize>(
                __input: &mut __rt::Decoder<#input_lifetime>,
            ) -> __rt::Result<[Self; __N], __rt::DecodeError> {
                <#own as __rt::PlainData>::take_array(__input)
            }
        }

        #message
    }
}

/// The statements that describe plain data: its layout is a part of it.
fn describe(model: &Model, pod: &Pod) -> TokenStream {
    let name = names::plain(model.ident);
    let mut text = Text::default();
    text.run(quote!(__rt::describe_layout::<Self>(__schema);));
    match pod {
        Pod::Struct(group) => fields(group, &mut text),
        Pod::Enum(variants) => {
            let is_numbers_only = variants.iter().all(|variant| variant.group.fields.is_empty());
            text.push("<");
            for variant in variants {
                let ident = variant.ident;
                text.push(&names::plain(ident));
                if is_numbers_only {
                    text.push("=");
                    text.run(quote!(__rt::describe_number(__schema, Self::#ident as __rt::i128);));
                } else if let Some(discriminant) = variant.discriminant {
                    text.push(&format!("={}", quote!(#discriminant)));
                }
                fields(&variant.group, &mut text);
                text.push(";");
            }
            text.push(">");
        }
    }
    let body = text.finish();
    quote!(__schema.named::<Self>(#name, |__schema| { #body });)
}

fn fields(group: &Group, text: &mut Text) {
    let (open, close) = match group.shape {
        Shape::Named => ("{", "}"),
        Shape::Tuple => ("(", ")"),
        Shape::Unit => return,
    };
    text.push(open);
    for (index, field) in group.fields.iter().enumerate() {
        if index > 0 {
            text.push(",");
        }
        if group.shape == Shape::Named {
            text.push(&format!("{}:", field.name()));
        }
        let ty = field.ty;
        text.run(quote!(<#ty as __rt::PodField>::describe(__schema);));
    }
    text.push(close);
}

/// Measures the gap behind each field. Where the type has parameters its size is not known here; there the derives of zerocopy check,
/// which say less about the place.
fn padding(model: &Model, pod: &Pod) -> TokenStream {
    let Pod::Struct(group) = pod else { return TokenStream::new() };
    if model.generics.type_params().next().is_some() || model.generics.const_params().next().is_some() {
        return TokenStream::new();
    }
    let ident = model.ident;
    let asserts = group.fields.iter().enumerate().map(|(index, field)| {
        let (member, ty) = (field.member, field.ty);
        let end = match group.fields.get(index + 1) {
            Some(next) => {
                let next = next.member;
                quote!(__rt::offset_of!(#ident, #next))
            }
            None => quote!(__rt::size_of::<#ident>()),
        };
        let name = format!("{}.{}", names::plain(ident), field.name());
        let gap = quote!(#end - __rt::offset_of!(#ident, #member) - __rt::size_of::<#ty>());
        quote_spanned!(ty.span()=> const _: () = __rt::assert_no_padding(#gap, #name);)
    });
    quote!(#(#asserts)*)
}
