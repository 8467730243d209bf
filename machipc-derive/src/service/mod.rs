//! The trait form of an endpoint. A trait's methods become the variants of an enum, which goes through the same phases as one that was
//! written by hand, and a server that calls the methods when such messages come.
//!
//! `rules` says what a trait must not have, `read` leaves that out, and `expand` writes the rest down.

mod expand;
mod read;
mod rules;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Ident, ItemTrait, LitStr, Type};

use crate::ast::{self, Ast, Flavor};
use crate::attr::TypeWords;
use crate::report::Report;
use crate::{check, fallback};

/// A trait that is an endpoint, without whatever is wrong with it.
pub struct Service<'a> {
    /// What the user wrote, but for our words.
    pub item: ItemTrait,
    /// The endpoint's name.
    pub name: &'a LitStr,
    pub client: Ident,
    pub message: Ident,
    pub server: Ident,
    pub methods: Vec<Method>,
}

/// A method.
pub struct Method {
    pub ident: Ident,
    /// The variant that it becomes.
    pub variant: Ident,
    /// The attributes that the variant has too.
    pub attributes: Vec<Attribute>,
    pub parameters: Vec<Parameter>,
    pub is_async: bool,
    /// What it returns; `None` for one that nobody waits for.
    pub answer: Option<Type>,
}

impl Method {
    /// The attributes that say whether it is there.
    pub fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        let conditions = ["cfg", "cfg_attr"];
        self.attributes
            .iter()
            .filter(move |attribute| conditions.iter().any(|condition| attribute.path().is_ident(condition)))
    }

    /// Whether it sends a stream to its caller, and gets none from it.
    pub fn only_streams_back(&self) -> bool {
        let mut ends = self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Field { ty, .. } => ast::stream(ty),
            Parameter::Context => None,
        });
        ends.next().is_some_and(|end| end.is_sink) && ends.all(|end| end.is_sink)
    }

    /// Whether its variant has fields.
    pub fn has_fields(&self) -> bool {
        self.answer.is_some()
            || self.parameters.iter().any(|parameter| !matches!(parameter, Parameter::Context))
    }
}

/// A parameter.
pub enum Parameter {
    /// `&Context`, which the host knows.
    Context,
    /// A field of the variant.
    Field {
        name: Ident,
        ty: Box<Type>,
        /// `#[mach(…)]`, or nothing.
        words: TokenStream,
    },
}

impl Service<'_> {
    /// Whether it takes an asynchronous host: one method is `async`.
    pub fn is_async(&self) -> bool {
        self.methods.iter().any(|method| method.is_async)
    }

    /// Whether some methods may be left out yet: then only the derive sees which enum it is.
    fn is_conditional(&self) -> bool {
        self.methods.iter().any(|method| method.conditions().next().is_some())
    }
}

/// All that is made of the trait.
pub fn expand(name: &LitStr, words: &TypeWords, item: ItemTrait, report: Report) -> TokenStream {
    let service = Service::read(name, words, item, &report);
    let message = expand::message(&service, words);
    let ast = Ast::read(Flavor::Endpoint, &message, &report);
    if !service.methods.is_empty() && !service.is_conditional() {
        check::check(&ast, &report);
    }
    let is_hopeless = report.is_hopeless();
    let item = &service.item;
    match report.finish() {
        None => {
            let derive = expand::derive(words);
            let server = expand::server(&service, &message, words);
            quote!(#item #derive #message #server)
        }
        Some(errors) if is_hopeless => quote!(#errors #item),
        Some(errors) => {
            let stand_in = fallback::stand_in(&ast);
            let message = expand::without_words(&message);
            quote!(#errors #item #message #stand_in)
        }
    }
}
