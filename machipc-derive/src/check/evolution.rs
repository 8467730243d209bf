//! Rules that let old and new peers talk: `since`, `default` and `id`.

use std::collections::HashMap;

use crate::ast::{Ast, Body, Field, Flavor};
use crate::model;
use crate::report::Report;

/// Puts everything that would keep old and new peers apart into the report.
pub fn check(ast: &Ast, report: &Report) {
    match &ast.body {
        Body::Struct(_, fields) => since_fields(fields, report),
        Body::Enum(variants) => {
            variants.iter().for_each(|variant| since_fields(&variant.fields, report));
            if ast.flavor == Flavor::Message {
                since_variants(ast, report);
            }
            duplicate_ids(ast, report);
        }
        Body::Union(_) => {}
    }
    ast.fields().for_each(|field| {
        default_without_since(field, report);
        words_on_rights(field, report);
    });
}

/// An old peer stops reading where the fields that it knows end, so what came later stands behind them, oldest first.
fn since_fields(fields: &[Field], report: &Report) {
    let mut latest = 0;
    for field in fields.iter().filter(|field| field.reply.is_none()) {
        match &field.words.since {
            None if latest > 0 => {
                let message = format!(
                    "`since` fields stand at the end, and this field without one stands behind `since = {latest}`: \
                     move it up, or say since when it is there"
                );
                // One field in the wrong place is one mistake, however many are behind it.
                return report.at(field.ty, message);
            }
            None => {}
            Some(since) if since.value < latest => {
                let message =
                    format!("versions go up from field to field: this one stands behind `since = {latest}`");
                report.at(&since.tokens, message);
            }
            Some(since) => latest = since.value,
        }
    }
}

/// A variant's tag is its position, so that a later variant in between would renumber the older ones behind it.
fn since_variants(ast: &Ast, report: &Report) {
    let Body::Enum(variants) = &ast.body else { return };
    let mut latest = 0;
    for variant in variants {
        match &variant.words.since {
            None if latest > 0 && variant.words.id.is_none() => {
                let message = format!(
                    "`since` variants stand at the end, and `{}` without one stands behind `since = {latest}`: \
                     move it up, or pin its number with `#[mach(id = …)]`",
                    variant.ident
                );
                report.at(variant.ident, message);
            }
            None => {}
            Some(since) if since.value < latest => {
                let message = format!(
                    "versions go up from variant to variant: this one stands behind `since = {latest}`"
                );
                report.at(&since.tokens, message);
            }
            Some(since) => latest = since.value,
        }
    }
}

/// The number says which variant it is.
fn duplicate_ids(ast: &Ast, report: &Report) {
    let Body::Enum(variants) = &ast.body else { return };
    let mut owners = HashMap::new();
    for (index, variant) in variants.iter().enumerate() {
        let id = model::variant_id(ast.flavor, index, variant);
        if let Some(owner) = owners.insert(id, variant.ident) {
            let number = match ast.flavor {
                Flavor::Message => id.to_string(),
                Flavor::Endpoint => format!("{id:#x}"),
            };
            let message = format!(
                "`{}` and `{owner}` both have the id {number}: pin one of them to another with `#[mach(id = …)]`",
                variant.ident
            );
            match &variant.words.id {
                Some(id) => report.at(&id.tokens, message),
                None => report.at(variant.ident, message),
            }
        }
    }
}

/// Only a field that an older peer does not send can be absent.
fn default_without_since(field: &Field, report: &Report) {
    if let (Some(default), None) = (&field.words.default, &field.words.since) {
        let message = "`default` says what an absent field is, and only a `since` field can be absent: \
                       add `since = 1`, or remove `default`";
        report.at(&default.tokens, message);
    }
}

/// A reply right is in the message's header, not among the fields; and nothing stands in for a stream that was not sent.
fn words_on_rights(field: &Field, report: &Report) {
    let message = match (field.reply, field.stream) {
        (Some(_), _) => "a `Reply` travels in the message's header and takes no words: remove this one",
        (None, Some(_)) => {
            "an end of a stream is a right and takes no words: remove this one, or make an `Option` of what came later"
        }
        (None, None) => return,
    };
    let words = &field.words;
    let tokens = [
        words.ool.as_ref().map(|word| &word.tokens),
        words.since.as_ref().map(|word| &word.tokens),
        words.default.as_ref().map(|word| &word.tokens),
    ];
    for tokens in tokens.into_iter().flatten() {
        report.at(tokens, message);
    }
}
