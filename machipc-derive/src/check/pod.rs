//! Rules for plain data: what goes over in one piece looks the same on both sides. Padding is found by the generated code, which knows
//! the sizes.

use syn::punctuated::Punctuated;
use syn::{Attribute, LitInt, Meta, Token, Type};

use crate::ast::{Ast, Body, Field};
use crate::report::Report;

const INTEGERS: &[&str] = &["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];

/// Payloads start on a multiple of this, and so does what is borrowed from them at most.
const MAX_ALIGN: u32 = 16;

/// Puts what plain data cannot be into the report.
pub fn check(ast: &Ast, report: &Report) {
    layout(ast, report);
    alignment(ast, report);
    for parameter in ast.generics.lifetimes() {
        let message =
            "plain data borrows nothing, it is borrowed whole, as `&'a T`: remove the lifetime, or `pod`";
        report.at(&parameter.lifetime, message);
    }
    for field in ast.fields() {
        references(field, report);
        words(field, report);
    }
    if let Body::Enum(variants) = &ast.body {
        for words in variants.iter().map(|variant| &variant.words) {
            let tokens =
                [words.id.as_ref().map(|word| &word.tokens), words.since.as_ref().map(|word| &word.tokens)];
            for tokens in tokens.into_iter().flatten() {
                let message = "plain data travels as it lies in memory: give the variant a discriminant, `Name = 7`, instead";
                report.at(tokens, message);
            }
        }
    }
}

/// What is in the `#[repr(…)]` attributes.
pub fn layout_hints(attributes: &[Attribute]) -> Vec<Meta> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("repr"))
        .filter_map(|attribute| {
            attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()
        })
        .flatten()
        .collect()
}

/// Rust lays out other types as it likes, in each program anew.
fn layout(ast: &Ast, report: &Report) {
    let Some(pod) = &ast.words.pod else { return };
    let hints = layout_hints(ast.attributes);
    let has = |name: &str| hints.iter().any(|hint| hint.path().is_ident(name));
    match &ast.body {
        Body::Struct(..) if has("C") || has("transparent") => {}
        Body::Struct(..) => match hints.iter().find(|hint| hint.path().is_ident("packed")) {
            Some(packed) => {
                report.at(packed, "`packed` alone leaves the order of the fields open: write `#[repr(C, packed)]`");
            }
            None => report.at(
                &pod.tokens,
                "plain data needs a layout that is the same in every program: add `#[repr(C)]` or `#[repr(transparent)]`",
            ),
        },
        Body::Enum(_) if INTEGERS.iter().any(|integer| has(integer)) => {}
        Body::Enum(_) => report.at(
            &pod.tokens,
            "plain data needs a layout that is the same in every program: say how wide the enum is, for instance `#[repr(u8)]`",
        ),
        Body::Union(_) => {}
    }
}

/// A receiver could not borrow it from a message.
fn alignment(ast: &Ast, report: &Report) {
    for hint in layout_hints(ast.attributes) {
        if let Meta::List(list) = &hint
            && list.path.is_ident("align")
            && let Ok(align) = list.parse_args::<LitInt>()
            && align.base10_parse::<u32>().is_ok_and(|align| align > MAX_ALIGN)
        {
            report.at(&align, format_args!("plain data may be aligned to {MAX_ALIGN} bytes at most"));
        }
    }
}

/// An address means nothing on the other side.
fn references(field: &Field, report: &Report) {
    if let Type::Reference(reference) = field.ty {
        report.at(
            reference,
            "plain data holds no references: hold the value, an array of it, or remove `pod` from the type",
        );
    }
}

/// No field is looked at when plain data is sent.
fn words(field: &Field, report: &Report) {
    let words = &field.words;
    let tokens = [
        words.ool.as_ref().map(|word| &word.tokens),
        words.since.as_ref().map(|word| &word.tokens),
        words.default.as_ref().map(|word| &word.tokens),
    ];
    for tokens in tokens.into_iter().flatten() {
        report.at(
            tokens,
            "plain data travels in one piece, so its fields take no words: remove this one, or `pod`",
        );
    }
}
