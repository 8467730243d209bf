//! The description of a type, of which the fingerprint is made.

use proc_macro2::TokenStream;
use quote::quote;

use super::fields::{Direction, codec};
use crate::ast::Shape;
use crate::model::{Alternative, Endpoint, Group, Model, Part};
use crate::names;

/// The statements that describe a struct.
pub fn of_struct(model: &Model, group: &Group) -> TokenStream {
    let name = names::plain(model.ident);
    let mut text = Text::default();
    fields(model, group, false, &mut text);
    let body = text.finish();
    if group.is_extended() {
        quote!(__schema.extensible::<Self>(#name, |__schema| { #body });)
    } else {
        quote!(__schema.named::<Self>(#name, |__schema| { #body });)
    }
}

/// The statements that describe an enum, its variants in the order of their tags.
pub fn of_enum(model: &Model, variants: &[Alternative]) -> TokenStream {
    let name = names::plain(model.ident);
    let mut text = Text::default();
    text.push("<");
    for variant in described(variants) {
        text.push(&variant.id.to_string());
        if !variant.pinned {
            text.push(&format!(":{}", names::plain(variant.ident)));
        }
        fields(model, &variant.group, false, &mut text);
        if variant.group.is_extended() {
            // The extension of a variant that is a part of something cannot be absent.
            text.push("+");
        }
        text.push(";");
    }
    text.push(">");
    let body = text.finish();
    quote!(__schema.named::<Self>(#name, |__schema| { #body });)
}

/// The statements that describe an endpoint, its variants in the order of their ids, so that moving them changes nothing. A variant is
/// called by its name, from which its id comes, or by the id that the user pinned, so that it can be renamed.
pub fn of_endpoint(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let name = endpoint.schema_name(model.ident);
    let mut text = Text::default();
    text.push("<");
    for variant in described(&endpoint.variants) {
        if variant.pinned {
            text.push(&format!("#{:#x}", variant.id));
        } else {
            text.push(&names::plain(variant.ident));
        }
        fields(model, &variant.group, true, &mut text);
        text.push(";");
    }
    text.push(">");
    let body = text.finish();
    quote!(__schema.named::<Self>(#name, |__schema| { #body });)
}

/// Text that is known now, between descriptions that are made at run time.
#[derive(Default)]
pub struct Text {
    known: String,
    statements: TokenStream,
}

impl Text {
    /// Appends text.
    pub fn push(&mut self, text: &str) {
        self.known.push_str(text);
    }

    /// Appends what a statement describes.
    pub fn run(&mut self, statement: TokenStream) {
        self.flush();
        self.statements.extend(statement);
    }

    /// All statements.
    pub fn finish(mut self) -> TokenStream {
        self.flush();
        self.statements
    }

    fn flush(&mut self) {
        let known = core::mem::take(&mut self.known);
        if !known.is_empty() {
            self.statements.extend(quote!(__schema.push(#known);));
        }
    }
}

/// Describes the fields that every peer sends. In a whole payload, the last one is at the payload's end.
fn fields(model: &Model, group: &Group, whole_payload: bool, text: &mut Text) {
    let (open, close) = match group.shape {
        Shape::Named => ("{", "}"),
        Shape::Tuple => ("(", ")"),
        Shape::Unit => return,
    };
    let base: Vec<&Part> = group.base().collect();
    text.push(open);
    for (index, field) in base.iter().enumerate() {
        if index > 0 {
            text.push(",");
        }
        if group.shape == Shape::Named {
            text.push(&format!("{}:", field.name()));
        }
        let codec = codec(model, field, Direction::Out);
        let is_last = index + 1 == base.len();
        if is_last && whole_payload && !group.is_extended() {
            text.run(quote!(#codec::describe_last(__schema);));
        } else {
            text.run(quote!(#codec::describe(__schema);));
        }
    }
    text.push(close);
}

fn described<'m, 'a>(variants: &'m [Alternative<'a>]) -> Vec<&'m Alternative<'a>> {
    let mut described: Vec<_> = variants.iter().filter(|variant| !variant.later).collect();
    described.sort_by_key(|variant| variant.id);
    described
}
