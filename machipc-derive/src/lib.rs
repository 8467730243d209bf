//! The macros of machipc. Use them through the `machipc` crate, whose pages document them.
//!
//! A type goes through four phases, none of which knows the next:
//!
//! 1. `attr` reads the words of `#[mach(…)]`, `ast` the type around them. Both keep what they read from, so that a mistake can be
//!    underlined.
//! 2. `check` holds the rules, each with its reason. What it finds is gathered in a `Report`, and told at once.
//! 3. `model` is what is left: a type that cannot express a mistake.
//! 4. `expand` makes code of it. Where there were mistakes, `fallback` makes impls that stand in for it.
//!
//! The attribute macros are in `wrap`: they read their arguments and hand the item to a derive. An endpoint that is a trait goes through
//! `service` first, which makes an enum of it, in the same phases. What needs to know sizes or traits is left to
//! the generated code, which refers to the runtime by one hidden module named after the version. `tests/golden/` shows it.

mod ast;
mod attr;
mod check;
mod expand;
mod fallback;
mod generics;
mod model;
mod names;
mod report;
mod service;
mod wrap;

#[cfg(test)]
mod golden;

use proc_macro::TokenStream;
use syn::DeriveInput;

use crate::ast::{Ast, Flavor};
use crate::model::Model;
use crate::report::Report;

#[expect(missing_docs, reason = "machipc has its documentation, with links and examples")]
#[proc_macro_derive(MachMessage, attributes(mach))]
pub fn derive_mach_message(input: TokenStream) -> TokenStream {
    derive(Flavor::Message, input.into()).into()
}

/// What `#[machipc::endpoint]` hands the enum to, once its `#[cfg(…)]` are evaluated.
#[doc(hidden)]
#[proc_macro_derive(Endpoint, attributes(mach))]
pub fn derive_endpoint(input: TokenStream) -> TokenStream {
    derive(Flavor::Endpoint, input.into()).into()
}

#[expect(missing_docs, reason = "machipc has its documentation, with links and examples")]
#[proc_macro_attribute]
pub fn endpoint(arguments: TokenStream, item: TokenStream) -> TokenStream {
    wrap::endpoint(arguments.into(), item.into()).into()
}

#[expect(missing_docs, reason = "machipc has its documentation, with links and examples")]
#[proc_macro_attribute]
pub fn pod(arguments: TokenStream, item: TokenStream) -> TokenStream {
    wrap::pod(arguments.into(), item.into()).into()
}

/// The phases, one after the other.
fn derive(flavor: Flavor, input: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let mut input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    ast::spell_out_self(&mut input);
    let report = Report::new();
    if flavor == Flavor::Message && check::is_endpoint_too(&input.attrs, &report) {
        return report.finish().unwrap_or_default();
    }
    let ast = Ast::read(flavor, &input, &report);
    check::check(&ast, &report);
    let is_hopeless = report.is_hopeless();
    match report.finish() {
        None => expand::expand(&Model::of(&ast)),
        Some(errors) if is_hopeless => errors,
        Some(errors) => {
            let stand_in = fallback::stand_in(&ast);
            quote::quote!(#errors #stand_in)
        }
    }
}
