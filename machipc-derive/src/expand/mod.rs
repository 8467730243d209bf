//! Last phase: a legal type to code. Nothing here can go wrong.
//!
//! All of it stands in one `const _`, where `__rt` is the runtime's module for macros, so that neither the user's names nor a missing
//! prelude matter. Fields are named by their types, as in `<&'a str as __rt::Field>::put`, so that a type that cannot be sent is
//! underlined where the user wrote it.

mod call;
mod client;
mod endpoint;
mod fields;
mod message;
mod pod;
mod schema;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Kind, Model};
use crate::names;

use client::Manner;

pub use message::implement;

/// Everything that the macro generates.
pub fn expand(model: &Model) -> TokenStream {
    let impls = match &model.kind {
        Kind::Pod(pod) => pod::expand(model, pod),
        Kind::Struct(group) => message::expand_struct(model, group),
        Kind::Enum(variants) => message::expand_enum(model, variants),
        Kind::Endpoint(endpoint) => endpoint::expand(model, endpoint),
    };
    let impls = enclose(model, impls);
    let client = expand_client(model);
    quote!(#impls #client)
}

/// An endpoint's clients; nothing for other messages.
pub fn expand_client(model: &Model) -> TokenStream {
    let Kind::Endpoint(endpoint) = &model.kind else { return TokenStream::new() };
    [Manner::Blocking, Manner::Asynchronous]
        .into_iter()
        .flat_map(|manner| {
            let methods = enclose(model, client::methods(model, endpoint, manner));
            [client::definition(model, endpoint, manner), methods]
        })
        .collect()
}

/// Wraps items in a `const _`, where `__rt` is what macros may use.
pub fn enclose(model: &Model, items: TokenStream) -> TokenStream {
    let krate = &model.krate;
    let private = names::private_module();
    let bounds_apart = allow_bounds_apart(model);
    quote! {
        #[allow(deprecated, elided_lifetimes_in_paths)]
        #bounds_apart
        const _: () = {
            use #krate::#private as __rt;
            #items
        };
    }
}

/// What the user asks of a parameter stands where the user wrote it, what the macro asks stands in a `where` clause.
fn allow_bounds_apart(model: &Model) -> Option<TokenStream> {
    model.generics.type_params().next().map(|_| quote!(#[allow(clippy::multiple_bound_locations)]))
}
