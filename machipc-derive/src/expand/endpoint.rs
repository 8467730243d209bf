//! `Encode`, `Decode` and `MachMessage` of endpoints: the message's id says which variant it is.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::fields::{self, binding};
use super::{message, schema};
use crate::ast::Shape;
use crate::generics::{self, Head, Needs};
use crate::model::{Alternative, Endpoint, Model};
use crate::names;

/// The impls of an endpoint.
pub fn expand(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let encode = encode(model, endpoint);
    let decode = decode(model, endpoint);
    let message = message(model, endpoint);
    quote!(#encode #decode #message)
}

/// Inside another message an endpoint is its id and, behind its length, its payload.
fn encode(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let message_lifetime = names::fresh_lifetime("m", model.generics);
    let Head { parameters, own, bounds } = Head::of(model, Needs::Message(None));
    let describe = schema::of_endpoint(model, endpoint);
    quote! {
        #[automatically_derived]
        impl #parameters __rt::Encode for #own #bounds {
            const MIN_SIZE: __rt::usize = 8;

            fn schema(__schema: &mut __rt::Schema) {
                #describe
            }

            fn encode<#message_lifetime>(
                &#message_lifetime self,
                __out: &mut __rt::Encoder<#message_lifetime>,
            ) -> __rt::Result<(), __rt::EncodeError> {
                __rt::put_endpoint(self, __out)
            }
        }
    }
}

fn decode(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let name = names::plain(model.ident);
    let ident = model.ident;
    let input_lifetime = generics::input_lifetime(model);
    let Head { parameters, own, bounds } = Head::of(model, Needs::Message(Some(&input_lifetime)));
    let variants = endpoint.variants.iter().map(|variant| {
        let variant_ident = variant.ident;
        let id = id(variant);
        let place = format!("{name}::{}", names::plain(variant_ident));
        let take = fields::take(model, &variant.group, &place, &quote!(#ident::#variant_ident));
        quote!(#id => { #take })
    });
    quote! {
        #[automatically_derived]
        impl #parameters __rt::Decode<#input_lifetime> for #own #bounds {
            fn decode(
                __input: &mut __rt::Decoder<#input_lifetime>,
            ) -> __rt::Result<Self, __rt::DecodeError> {
                __rt::take_endpoint(__input, __decode_variant)
            }
        }

        #[inline]
        fn __decode_variant #parameters (
            __id: __rt::i32,
            __input: &mut __rt::Decoder<#input_lifetime>,
        ) -> __rt::Result<#own, __rt::DecodeError> #bounds {
            __input.nested(|__input| match __id {
                #(#variants)*
                _ => __rt::Err(__rt::DecodeError::unknown_variant(__id)),
            })
        }
    }
}

fn message(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let message_lifetime = names::fresh_lifetime("m", model.generics);
    let view_lifetime = names::fresh_lifetime("v", model.generics);
    let endpoint_name = &endpoint.name;
    let name = names::plain(model.ident);
    let ids = endpoint.variants.iter().map(|variant| {
        let ident = variant.ident;
        let id = id(variant);
        let rest = match variant.group.shape {
            Shape::Named => quote!({ .. }),
            Shape::Tuple => quote!((..)),
            Shape::Unit => quote!(),
        };
        quote!(Self::#ident #rest => #id,)
    });
    let names = endpoint.variants.iter().map(|variant| {
        let (id, name) = (id(variant), names::plain(variant.ident));
        quote!(#id => __rt::Some(#name),)
    });
    let put = endpoint.variants.iter().map(|variant| {
        let ident = variant.ident;
        let pattern = fields::construct(&variant.group, &quote!(Self::#ident), binding);
        let place = format!("{name}::{}", names::plain(ident));
        let put = fields::put(model, &variant.group, &place, |field| {
            let binding = binding(field);
            quote!(#binding)
        });
        quote!(#pattern => { #put })
    });
    let items = quote! {
        const ENDPOINT: __rt::Option<&'static __rt::str> = __rt::Some(#endpoint_name);

        #[inline]
        fn message_id(&self) -> __rt::i32 {
            match self {
                #(#ids)*
            }
        }

        fn message_name(__id: __rt::i32) -> __rt::Option<&'static __rt::str> {
            match __id {
                #(#names)*
                _ => __rt::None,
            }
        }

        #[inline]
        fn encode_payload<#message_lifetime>(
            &#message_lifetime self,
            __out: &mut __rt::Encoder<#message_lifetime>,
        ) -> __rt::Result<(), __rt::EncodeError> {
            __out.nested(|__out| {
                match self {
                    #(#put)*
                }
                __rt::Ok(())
            })
        }

        #[inline]
        fn decode_payload<#view_lifetime>(
            __id: __rt::i32,
            __input: &mut __rt::Decoder<#view_lifetime>,
        ) -> __rt::Result<Self::View<#view_lifetime>, __rt::DecodeError> {
            __decode_variant(__id, __input)
        }
    };
    message::message(model, &items)
}

/// In hexadecimal, as ids are shown in errors.
fn id(variant: &Alternative) -> Literal {
    let text = format!("{:#010x}", variant.id);
    text.parse().unwrap_or_else(|_| Literal::i32_unsuffixed(variant.id))
}
