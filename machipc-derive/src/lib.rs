//! The macros of machipc. Use them through the `machipc` crate.

mod ast;
mod attr;
mod check;
mod expand;
mod fallback;
mod generics;
mod model;
mod names;
mod report;
mod wrap;

#[cfg(test)]
mod golden;

use proc_macro::TokenStream;
use syn::DeriveInput;

use crate::ast::{Ast, Flavor};
use crate::model::Model;
use crate::report::Report;

/// Makes a struct or an enum a message.
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

/// Makes an enum an endpoint: each of its variants is a message, and a typed client sends them.
#[proc_macro_attribute]
pub fn endpoint(arguments: TokenStream, item: TokenStream) -> TokenStream {
    wrap::endpoint(arguments.into(), item.into()).into()
}

/// Makes a struct or an enum plain data.
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
