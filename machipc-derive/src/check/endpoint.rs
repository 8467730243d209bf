//! Rules for endpoints.

use std::collections::HashMap;

use crate::ast::{Ast, Body, Variant};
use crate::model;
use crate::report::Report;

/// What the generated client can do beside the user's variants, and `clone`, which a method of that name would hide.
pub const CLIENT_METHODS: &[&str] = &[
    "client",
    "clone",
    "connect",
    "connect_timeout",
    "connect_to",
    "connect_with",
    "detached",
    "dropped",
    "from_client",
    "from_parent",
    "from_right",
    "when_full",
    "with_deadline",
];

/// Ids that mean something else, and what.
const RESERVED_IDS: &[(std::ops::RangeInclusive<i32>, &str)] = &[
    (64..=72, "Mach's notifications"),
    (0x2000_0000..=0x2000_0000, "replies"),
    (0x2000_0001..=0x2000_00ff, "messages of the library's own"),
    (0x3000_0000..=0x3000_0000, "messages that belong to no endpoint"),
];

/// Puts what an endpoint must not have into the report.
pub fn check(ast: &Ast, report: &Report) {
    if let Body::Struct(..) = ast.body {
        let message = "an endpoint is an enum, for each of its variants is a message: \
                       use an enum, or `#[derive(MachMessage)]` for a message of its own";
        report.at(ast.ident, message);
    }
    let Body::Enum(variants) = &ast.body else { return };
    for (index, variant) in variants.iter().enumerate() {
        reserved_id(ast, index, variant, report);
        one_reply_and_last(variant, report);
    }
    methods(variants, ast.words.service.is_some(), report);
}

/// Such a message would be taken for something else before its variant is looked at.
fn reserved_id(ast: &Ast, index: usize, variant: &Variant, report: &Report) {
    let id = model::variant_id(ast.flavor, index, variant);
    for (_, meaning) in RESERVED_IDS.iter().filter(|(reserved, _)| reserved.contains(&id)) {
        let message = format!("the id {id:#x} is reserved for {meaning}: take another");
        match &variant.words.id {
            Some(word) => report.at(&word.tokens, message),
            None => report.at(variant.ident, message),
        }
    }
}

/// A message has one reply right, in its header; in the client's method its type is what is returned, so it stands last.
fn one_reply_and_last(variant: &Variant, report: &Report) {
    let mut replies = variant.fields.iter().filter(|field| field.reply.is_some());
    let Some(first) = replies.next() else { return };
    let mut more = 0;
    for field in replies {
        report.at(field.ty, "a message has one reply right: send a `SendOnceRight` for a second answer");
        more += 1;
    }
    let is_last = variant.fields.last().is_some_and(|last| last.member == first.member);
    if !is_last && more == 0 {
        report.at(first.ty, "a `Reply` is the variant's last field: move it to the end");
    }
}

/// Two methods of one type have two names.
fn methods(variants: &[Variant], in_trait: bool, report: &Report) {
    let mut owners = HashMap::new();
    for variant in variants {
        let method = model::method(variant);
        let complain = |message: String| match &variant.words.method {
            Some(word) => report.at(&word.tokens, message),
            None => report.at(variant.ident, message),
        };
        if CLIENT_METHODS.iter().any(|own| method == own) {
            if in_trait {
                complain(format!("every client has a method `{method}` of its own: take another name"));
                continue;
            }
            complain(format!(
                "every client has a method `{method}` of its own: rename `{}`, or name its method with `#[mach(method = …)]`",
                variant.ident
            ));
        } else if let Some(owner) = owners.insert(method.clone(), variant.ident) {
            complain(format!(
                "`{}` and `{owner}` would both be the client's method `{method}`: rename one, or name its method with \
                 `#[mach(method = …)]`",
                variant.ident
            ));
        }
    }
}
