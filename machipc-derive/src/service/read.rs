//! From the user's trait to a [`Service`]: reads the words and leaves out what the rules do not allow.

use std::collections::HashMap;

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, Ident, ItemTrait, LitStr, Meta, PatType, ReturnType, Signature, Token, TraitItem,
    TraitItemFn,
};

use super::{Method, Parameter, Service, rules};
use crate::attr::{FieldWords, Place, TypeWords, VariantWords};
use crate::names;
use crate::report::Report;

impl<'a> Service<'a> {
    pub fn read(name: &'a LitStr, words: &TypeWords, mut item: ItemTrait, report: &Report) -> Self {
        rules::service(&item, report);
        item.attrs.retain(|attribute| {
            let is_ours = attribute.path().is_ident("mach");
            if is_ours {
                let message =
                    "words for the whole trait go into the macro's own attribute: `#[machipc::endpoint(\"…\", crate = path)]`";
                report.at(attribute, message);
            }
            !is_ours
        });
        let own = names::plain(&item.ident);
        let named = |word: Option<&Ident>, suffix: &str| {
            word.cloned().unwrap_or_else(|| Ident::new(&format!("{own}{suffix}"), item.ident.span()))
        };
        let client = named(words.client.as_ref().map(|word| &word.value), "Client");
        let message = named(words.message.as_ref().map(|word| &word.value), "Message");
        let server = named(words.server.as_ref().map(|word| &word.value), "Server");

        let mut methods = Vec::new();
        for item in &mut item.items {
            if let TraitItem::Fn(method) = item {
                methods.extend(Method::read(method, report));
            }
        }
        one_variant_each(&mut methods, report);
        Self { item, name, client, message, server, methods }
    }
}

impl Method {
    /// Reads a method and takes our words out of it.
    fn read(item: &mut TraitItemFn, report: &Report) -> Option<Self> {
        rules::method(item, report);
        rules::one_context(&item.sig, report);
        let words = VariantWords::read(&item.attrs, Place::Method, report);
        let is_one_way = one_way(item, report);
        item.attrs.retain(|attribute| !attribute.path().is_ident("mach"));

        let parameters = item.sig.inputs.iter_mut().filter_map(|input| match input {
            FnArg::Typed(parameter) => Parameter::read(parameter, report),
            FnArg::Receiver(_) => None,
        });
        let parameters = parameters.collect();
        let answer = rules::answer(&item.sig, is_one_way, report);
        let answer = if is_one_way { None } else { Some(answer.unwrap_or_else(|| syn::parse_quote!(()))) };
        let is_async = spell_out_future(&mut item.sig);
        let ident = item.sig.ident.clone();
        let variant =
            words.variant.as_ref().map(|word| word.value.clone()).or_else(|| names::variant(&ident));
        let Some(variant) = variant else {
            let message =
                format!("no variant can be named after `{ident}`: name it with `#[mach(variant = …)]`");
            report.at(&ident, message);
            return None;
        };
        let carried = ["cfg", "cfg_attr", "doc", "deprecated"];
        let is_carried = |attribute: &&Attribute| carried.iter().any(|name| attribute.path().is_ident(name));
        let mut attributes: Vec<Attribute> = item.attrs.iter().filter(is_carried).cloned().collect();
        let id = words.id.as_ref().map(|word| &word.tokens);
        let since = words.since.as_ref().map(|word| &word.tokens);
        let method: Meta = syn::parse_quote_spanned!(ident.span()=> method = #ident);
        attributes.extend(attribute(id.into_iter().chain(since).chain([&method])));
        Some(Self { ident, variant, attributes, parameters, is_async, answer })
    }
}

impl Parameter {
    /// Reads a parameter and takes our words out of it. `None` where nothing can be sent for it.
    fn read(parameter: &mut PatType, report: &Report) -> Option<Self> {
        let words = FieldWords::read(&parameter.attrs, Place::Parameter, report);
        rules::no_cfg(parameter, report);
        parameter.attrs.retain(|attribute| !["mach", "cfg"].iter().any(|own| attribute.path().is_ident(own)));
        let given = [
            words.ool.map(|word| word.tokens),
            words.since.map(|word| word.tokens),
            words.default.map(|word| word.tokens),
        ];
        let given: Vec<Meta> = given.into_iter().flatten().collect();
        if rules::is_lent_context(&parameter.ty) {
            for word in &given {
                report.at(word, "the context is not sent and takes no words: remove this one");
            }
            return Some(Self::Context);
        }
        let name = rules::name(parameter, report).cloned();
        // A method without a body takes nothing but names, and this was told.
        let plain = name.clone().unwrap_or_else(|| Ident::new("_argument", Span::call_site()));
        parameter.pat = syn::parse_quote!(#plain);
        let is_sendable = rules::parameter(&parameter.ty, report);
        let name = name.filter(|_| is_sendable)?;
        Some(Self::Field { name, ty: parameter.ty.clone(), words: attribute(&given).into_token_stream() })
    }
}

/// Writes what `async` stands for, so that it can be said that any thread may go on with the future. An implementation has its `async fn`
/// all the same. Says whether the method was one.
fn spell_out_future(method: &mut Signature) -> bool {
    let Some(keyword) = method.asyncness.take() else { return false };
    let output = match &method.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    let span = keyword.span();
    method.output = syn::parse_quote_spanned! {
        span=> -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
    true
}

/// Takes `#[oneway]` off the method; says whether it was there.
fn one_way(item: &mut TraitItemFn, report: &Report) -> bool {
    let is_one_way = |attribute: &Attribute| attribute.path().is_ident("oneway");
    let found: Vec<Attribute> = item.attrs.extract_if(.., |attribute| is_one_way(attribute)).collect();
    for attribute in &found {
        if let Meta::List(_) | Meta::NameValue(_) = attribute.meta {
            report.at(&attribute.meta, "`oneway` takes no value: write `#[oneway]`");
        }
    }
    if let Some(again) = found.get(1) {
        report.at(again, "`oneway` is given twice: remove one");
    }
    !found.is_empty()
}

/// `#[mach(words)]`, where there are any.
fn attribute<'w>(words: impl IntoIterator<Item = &'w Meta>) -> Option<Attribute> {
    let words: Punctuated<&Meta, Token![,]> = words.into_iter().collect();
    (!words.is_empty()).then(|| syn::parse_quote!(#[mach(#words)]))
}

/// Leaves out the methods whose variant is another's, but for those that are the same method to the compiler, which says so itself.
fn one_variant_each(methods: &mut Vec<Method>, report: &Report) {
    let mut owners: HashMap<Ident, Ident> = HashMap::new();
    methods.retain(|method| match owners.get(&method.variant) {
        None => {
            owners.insert(method.variant.clone(), method.ident.clone());
            true
        }
        // Perhaps one of them is left out by its `#[cfg(…)]`.
        Some(owner) if *owner == method.ident => true,
        Some(owner) => {
            let message = format!(
                "`{}` and `{owner}` would both be the message `{}`: rename one, or name its message with `#[mach(variant = …)]`",
                method.ident, method.variant
            );
            report.at(&method.ident, message);
            false
        }
    });
}
