//! Third phase: what must hold for a type to be a message. Rules about one word alone are in `attr`, and all that needs to know
//! the types is left to the traits.

mod endpoint;
mod evolution;
mod field_type;
mod pod;

use syn::{Attribute, Lifetime, Type, WherePredicate};

use crate::ast::{Ast, Body, Flavor};
use crate::report::Report;

pub use endpoint::CLIENT_METHODS;
pub use field_type::{MARKERS, PORTS, borrows};
pub use pod::layout_hints;

/// `#[machipc::endpoint]` makes the same impls: it is the only mistake to tell then, and there is nothing to stand in for.
pub fn is_endpoint_too(attributes: &[Attribute], report: &Report) -> bool {
    let is_endpoint = |attribute: &&Attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "endpoint")
    };
    let endpoint = attributes.iter().find(is_endpoint);
    if let Some(attribute) = endpoint {
        report.at(attribute, "an endpoint is a message already: remove `MachMessage` from the derives");
    }
    endpoint.is_some()
}

/// Puts everything that is wrong with the type into the report.
pub fn check(ast: &Ast, report: &Report) {
    union(ast, report);
    no_variants(ast, report);
    lifetimes(ast, report);
    let is_pod = ast.words.pod.is_some();
    for field in ast.fields() {
        // What is wrong with a reference in plain data is that it is one.
        if !(is_pod && matches!(field.ty, Type::Reference(_))) {
            field_type::check(field, ast.words.service.is_some(), report);
        }
    }
    if is_pod {
        pod::check(ast, report);
    } else {
        packed(ast, report);
        evolution::check(ast, report);
    }
    match ast.flavor {
        Flavor::Message => plain_message(ast, report),
        Flavor::Endpoint => endpoint::check(ast, report),
    }
}

/// Nothing says which of a union's fields is there.
fn union(ast: &Ast, report: &Report) {
    if let Body::Union(keyword) = ast.body {
        report.at_span(keyword, "a union does not say which of its fields is there: use an enum");
        report.give_up();
    }
}

/// A type without values cannot be read.
fn no_variants(ast: &Ast, report: &Report) {
    if let Body::Enum(variants) = &ast.body
        && variants.is_empty()
    {
        report.at(ast.ident, format_args!("`{}` has no variants, so there is nothing to send", ast.ident));
    }
}

/// A value that was read out of a message lives as long as the message, which is shorter than `'static`.
fn lifetimes(ast: &Ast, report: &Report) {
    let refuse = |bound: &Lifetime, lifetime: &Lifetime| {
        let message = format!(
            "`{lifetime}` cannot be `'static`: what is borrowed from a message lives as long as the message, so remove the bound"
        );
        if bound.ident == "static" {
            report.at(bound, message);
            report.give_up();
        }
    };
    for parameter in ast.generics.lifetimes() {
        parameter.bounds.iter().for_each(|bound| refuse(bound, &parameter.lifetime));
    }
    for predicate in ast.generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        if let WherePredicate::Lifetime(predicate) = predicate {
            predicate.bounds.iter().for_each(|bound| refuse(bound, &predicate.lifetime));
        }
    }
}

/// The fields of a packed struct cannot be referred to, one by one.
fn packed(ast: &Ast, report: &Report) {
    for hint in pod::layout_hints(ast.attributes) {
        if hint.path().is_ident("packed") {
            report.at(
                &hint,
                "a packed type is sent in one piece or not at all: add `#[mach(pod)]`, or remove `packed`",
            );
        }
    }
}

/// A reply right belongs to a request, and requests are an endpoint's variants.
fn plain_message(ast: &Ast, report: &Report) {
    for field in ast.fields().filter(|field| field.reply.is_some()) {
        report.at(
            field.ty,
            "a `Reply` is a field of an endpoint's variant: move it to an enum with `#[machipc::endpoint(\"…\")]`",
        );
    }
}
