//! What an endpoint's trait must not have, rule by rule. What a field must not be is in `check`: the enum that is made of the trait goes
//! through that too.

use syn::visit::Visit;
use syn::{
    FnArg, GenericParam, Generics, Ident, ItemTrait, Pat, PatType, Path, Receiver, ReturnType, Signature,
    TraitItem, TraitItemFn, Type, TypeImplTrait, TypePath,
};

use crate::ast;
use crate::report::Report;

/// The trait without its methods.
pub fn service(item: &ItemTrait, report: &Report) {
    if let Some(keyword) = &item.unsafety {
        report.at(keyword, "nothing about an endpoint is unsafe: remove `unsafe`");
    }
    if let Some(keyword) = &item.auto_token {
        report.at(keyword, "an endpoint has methods: remove `auto`");
    }
    for parameter in &item.generics.params {
        let message = "an endpoint's trait speaks of types that both sides know: name them instead of a parameter, \
                       or write the enum form, which may be generic";
        report.at(parameter, message);
    }
    for other in &item.items {
        let message = match other {
            TraitItem::Fn(_) => continue,
            TraitItem::Const(_) => "a constant is not sent: move it out of the endpoint's trait",
            TraitItem::Type(_) => {
                "a client does not know which type the host has chosen: name the type in the methods instead"
            }
            TraitItem::Macro(_) => "nobody can see here which methods a macro makes: write them out",
            _ => "an endpoint's trait has methods and nothing else: move it out of the trait",
        };
        report.at(other, message);
    }
    if !item.items.iter().any(|item| matches!(item, TraitItem::Fn(_))) {
        report.at(&item.ident, format_args!("`{}` has no methods, so there is nothing to send", item.ident));
    }
}

/// A method but for its parameters and what it returns.
pub fn method(method: &TraitItemFn, report: &Report) {
    let Signature { unsafety, abi, generics, .. } = &method.sig;
    if let Some(keyword) = unsafety {
        report.at(keyword, "a client cannot keep promises about the host's memory: remove `unsafe`");
    }
    if let Some(abi) = abi {
        report.at(abi, "a message has a format of its own: remove `extern`");
    }
    no_generics(generics, report);
    receiver(method, report);
    if let Some(body) = &method.default {
        let message = "what a method does is up to the host, and a client only asks for it: end the method with `;`, \
                       and write the body where the trait is implemented";
        report.at(body, message);
    }
}

/// A message is of one type, which both sides know.
fn no_generics(generics: &Generics, report: &Report) {
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => report.at(
                lifetime,
                "whatever a method borrows lives as long as the message: leave the lifetimes out, as in `key: &str`",
            ),
            GenericParam::Type(_) | GenericParam::Const(_) => report.at(
                parameter,
                "the other process cannot know which type is meant: name the type, or use an enum of the types that it can be",
            ),
        }
    }
    if let Some(clause) = &generics.where_clause {
        report.at(clause, "there is nothing to put bounds on in a message: remove the clause");
    }
}

/// A host calls from any of its threads, from several at once.
fn receiver(method: &TraitItemFn, report: &Report) {
    let shared = "a host serves many callers at once and shares the implementation: take `&self`";
    match method.sig.receiver() {
        None => report.at(
            &method.sig.ident,
            format_args!(
                "`{}` belongs to a host, which is an implementation's value: take `&self`",
                method.sig.ident
            ),
        ),
        Some(Receiver { reference: Some(_), mutability: Some(keyword), .. }) => {
            report.at(keyword, format_args!("{shared}, and change it through a `Mutex`"));
        }
        Some(Receiver { reference: Some(_), colon_token: None, .. }) => {}
        Some(receiver) => report.at(receiver, shared),
    }
}

/// The name under which a parameter is sent.
pub fn name<'a>(parameter: &'a PatType, report: &Report) -> Option<&'a Ident> {
    let name = match &*parameter.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
            if let Some(keyword) = &pattern.mutability {
                report.at(
                    keyword,
                    "what the implementation does with its copy is its own affair: remove `mut`",
                );
            }
            &pattern.ident
        }
        pattern => {
            let message =
                "a parameter is a field of the message, and its name is the field's: give it one name";
            report.at(pattern, message);
            return None;
        }
    };
    if name == "reply" {
        report.at(name, "the answer is called `reply` in the message: give the parameter another name");
        return None;
    }
    Some(name)
}

/// Macros see a trait before its `#[cfg(…)]` are evaluated, and cannot leave out an argument of a call.
pub fn no_cfg(parameter: &PatType, report: &Report) {
    for attribute in &parameter.attrs {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            let message = "a message has the same fields in every build: put the `cfg` on the method";
            report.at(attribute, message);
        }
    }
}

/// Whether a parameter's type can be a field's, as far as this form goes.
pub fn parameter(ty: &Type, report: &Report) -> bool {
    if let Some(reply) = a_reply_in(ty) {
        let message = "a method answers by what it returns: write the answer's type behind `->`. \
                       To answer later, make it an `async fn`, or use the enum form";
        report.at(reply, message);
        return false;
    }
    if is_context(ty) {
        report.at(ty, "the context is lent for the call: write `&Context`");
        return false;
    }
    is_nameable(ty, report)
}

/// Whether `ty` is `&Context`.
pub fn is_lent_context(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => reference.mutability.is_none() && is_context(&reference.elem),
        Type::Group(group) => is_lent_context(&group.elem),
        Type::Paren(paren) => is_lent_context(&paren.elem),
        _ => false,
    }
}

/// A context says who called, and there is one of a call.
pub fn one_context(method: &Signature, report: &Report) {
    let contexts = method.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) if is_lent_context(&parameter.ty) => Some(parameter),
        _ => None,
    });
    for another in contexts.skip(1) {
        report.at(another, "a call has one context: remove this one");
    }
}

/// Whether a method may return this: `None` where it may not.
pub fn answer(method: &Signature, is_one_way: bool, report: &Report) -> Option<Type> {
    let ty = match &method.output {
        ReturnType::Default => return Some(syn::parse_quote!(())),
        ReturnType::Type(_, ty) => ty,
    };
    if is_one_way && !is_unit(ty) {
        report.at(ty, "nobody waits for a one-way method: remove `#[oneway]`, or what it returns");
        return None;
    }
    let is_fine = match &**ty {
        Type::Never(_) => {
            report.at(ty, "a caller waits for the answer: return a type that has values, or nothing");
            false
        }
        Type::Slice(_) => {
            report.at(ty, "an answer is owned and has a size: return a `Vec`");
            false
        }
        Type::Path(path) if path.path.is_ident("str") => {
            report.at(ty, "an answer is owned and has a size: return a `String`");
            false
        }
        _ => match a_reply_in(ty) {
            Some(reply) => {
                let message = "what a method returns is its answer: return what is inside the `Reply`";
                report.at(reply, message);
                false
            }
            None => is_nameable(ty, report),
        },
    };
    is_fine.then(|| (**ty).clone())
}

/// Whether the type is `()`.
pub fn is_unit(ty: &Type) -> bool {
    match ty {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Group(group) => is_unit(&group.elem),
        Type::Paren(paren) => is_unit(&paren.elem),
        _ => false,
    }
}

fn is_context(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Context"),
        Type::Group(group) => is_context(&group.elem),
        Type::Paren(paren) => is_context(&paren.elem),
        Type::Reference(reference) => is_context(&reference.elem),
        _ => false,
    }
}

/// Whether the type can be written down for both sides.
fn is_nameable(ty: &Type, report: &Report) -> bool {
    struct Unnameable<'a>(&'a Report, bool);
    impl<'ast> Visit<'ast> for Unnameable<'_> {
        fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
            let message = "the other process cannot know which type is meant: name the type";
            self.0.at(ty, message);
            self.1 = true;
        }
        fn visit_type_path(&mut self, ty: &'ast TypePath) {
            if ty.path.segments.first().is_some_and(|first| first.ident == "Self") {
                let message =
                    "a client does not know the implementation, which is what `Self` is here: name a type";
                self.0.at(ty, message);
                self.1 = true;
            } else {
                syn::visit::visit_type_path(self, ty);
            }
        }
    }
    let mut unnameable = Unnameable(report, false);
    unnameable.visit_type(ty);
    !unnameable.1
}

/// The `Reply<T>` that `ty` is, or that is inside it.
fn a_reply_in(ty: &Type) -> Option<&Path> {
    struct Search<'ast>(Option<&'ast Path>);
    impl<'ast> Visit<'ast> for Search<'ast> {
        fn visit_type(&mut self, ty: &'ast Type) {
            if let (Type::Path(path), Some(_)) = (ty, ast::reply(ty)) {
                self.0.get_or_insert(&path.path);
            }
            syn::visit::visit_type(self, ty);
        }
    }
    let mut search = Search(None);
    search.visit_type(ty);
    search.0
}
