//! What stands in for the impls of a type in which mistakes were found, so that its uses are not reported as mistakes too.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::{Ast, Body, Flavor, Shape, Variant};
use crate::check::{CLIENT_METHODS, borrows};
use crate::expand;
use crate::model::{self, Group, Kind, Model};

/// Impls that compile whatever the fields are. They are never run.
pub fn stand_in(ast: &Ast) -> TokenStream {
    let model = Model {
        ident: ast.ident,
        generics: ast.generics,
        krate: model::runtime(ast),
        kind: Kind::Struct(Group { shape: Shape::Unit, fields: Vec::new() }),
    };
    let never = quote!(__rt::never());
    // What follows is not unreachable for the compiler, which would say so.
    let take = quote!((|| __rt::never())());
    let message = expand::implement(&model, &quote!(0), &TokenStream::new(), &never, &take);
    let message = expand::enclose(&model, message);
    let client = (ast.flavor == Flavor::Endpoint).then(|| client(ast));
    quote!(#message #client)
}

/// The client, with the methods that can be made.
fn client(ast: &Ast) -> TokenStream {
    let variants = match &ast.body {
        Body::Enum(variants) => variants.as_slice(),
        _ => &[],
    };
    let mut methods = Vec::new();
    let mut can_be_made = |variant: &&Variant| {
        let method = model::method(variant);
        let is_new = !methods.contains(&method) && !CLIENT_METHODS.iter().any(|own| method == own);
        methods.push(method);
        let mut answers = variant.fields.iter().filter_map(|field| field.reply);
        let mut streams = variant.fields.iter().filter(|field| field.stream.is_some());
        is_new
            && !streams.any(|field| borrows(field.ty))
            && !answers.next().is_some_and(borrows)
            && answers.next().is_none()
    };
    let variants: Vec<&Variant> = variants.iter().filter(&mut can_be_made).collect();
    let endpoint = model::endpoint(ast, variants);
    let model = Model {
        ident: ast.ident,
        generics: ast.generics,
        krate: model::runtime(ast),
        kind: Kind::Endpoint(endpoint),
    };
    expand::expand_client(&model)
}
