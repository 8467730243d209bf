//! The attribute macros. Each reads its own arguments and hands the item to a derive, which sees it with its `#[cfg(…)]` evaluated and
//! with its other attributes in place.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Expr, ItemTrait, LitStr, Meta, Path, Token};

use crate::attr::{self, Place, TypeWords};
use crate::check::layout_hints;
use crate::report::Report;
use crate::{names, service};

/// The longest name that the name server takes, in bytes.
const LONGEST_NAME: usize = 127;

/// `#[machipc::endpoint("name", client = Name, crate = path)]`
pub fn endpoint(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let report = Report::new();
    if let Ok(service) = syn::parse2::<ItemTrait>(item.clone()) {
        let (name, words) = endpoint_arguments(arguments, Place::Service, &report);
        return service::expand(&name, &words, service, report);
    }
    let (name, words) = endpoint_arguments(arguments, Place::Endpoint, &report);
    let Ok(mut input) = syn::parse2::<DeriveInput>(item.clone()) else {
        let message = "an endpoint is an enum, each of whose variants is a message, or a trait, each of whose methods is one";
        report.at_span(Span::call_site(), message);
        let errors = report.finish();
        return quote!(#errors #item);
    };
    own_words(&mut input, "#[machipc::endpoint(\"…\", crate = path)]", &report);
    for attribute in &mut input.attrs {
        remove_message_derive(attribute, "an endpoint is a message already", &report);
    }

    let runtime = runtime(&words);
    let private = names::private_module();
    let client = words.client.map(|word| word.value).map(|client| quote!(, client = #client));
    let flat_errors = words.flat_errors.map(|_| quote!(, flat_errors));
    let krate = words.krate.map(|word| word.value).map(|krate| quote!(, crate = #krate));
    let errors = report.finish();
    quote! {
        #errors
        #[::core::prelude::v1::derive(#runtime::#private::Endpoint)]
        #[mach(endpoint = #name #client #flat_errors #krate)]
        #input
    }
}

/// `#[machipc::pod]`
pub fn pod(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let report = Report::new();
    let words = pod_arguments(arguments, &report);
    let Ok(mut input) = syn::parse2::<DeriveInput>(item.clone()) else {
        report.at_span(Span::call_site(), "plain data is a struct or an enum");
        let errors = report.finish();
        return quote!(#errors #item);
    };
    own_words(&mut input, "#[machipc::pod(crate = path)]", &report);
    for attribute in &mut input.attrs {
        remove_message_derive(attribute, "`#[machipc::pod]` makes it a message already", &report);
    }

    let runtime = runtime(&words);
    let krate = words.krate.map(|word| word.value).map(|krate| quote!(, crate = #krate));
    let layout = match input.data {
        Data::Struct(_) if layout_hints(&input.attrs).is_empty() => Some(quote!(#[repr(C)])),
        // The width of an enum is the user's choice: the derive asks for it.
        _ => None,
    };
    let zerocopy = quote!(#runtime::zerocopy).to_string().replace(' ', "");
    let errors = report.finish();
    quote! {
        #errors
        #[::core::prelude::v1::derive(
            #runtime::zerocopy::TryFromBytes,
            #runtime::zerocopy::IntoBytes,
            #runtime::zerocopy::KnownLayout,
            #runtime::zerocopy::Immutable,
            #runtime::MachMessage,
        )]
        #[zerocopy(crate = #zerocopy)]
        #[mach(pod #krate)]
        #layout
        #input
    }
}

/// The endpoint's name, which is empty where it is wrong, and the words behind it.
fn endpoint_arguments(arguments: TokenStream, place: Place, report: &Report) -> (LitStr, TypeWords) {
    let parser = |input: ParseStream| {
        let name = if input.is_empty() { None } else { Some(input.parse::<Expr>()?) };
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        Ok((name, Punctuated::<Meta, Token![,]>::parse_terminated(input)?))
    };
    let unnamed = || LitStr::new("", Span::call_site());
    match parser.parse2(arguments) {
        Ok((name, words)) => {
            let name = match &name {
                Some(name) => endpoint_name(name, report),
                None => {
                    let message = "an endpoint has a name: `#[machipc::endpoint(\"com.example.kv\")]`";
                    report.at_span(Span::call_site(), message);
                    None
                }
            };
            (name.unwrap_or_else(unnamed), TypeWords::read_arguments(words, place, report))
        }
        Err(error) => {
            report.add(error);
            (unnamed(), TypeWords::default())
        }
    }
}

/// The name server refuses other names, so that no host could take them.
fn endpoint_name(name: &Expr, report: &Report) -> Option<LitStr> {
    let Some(literal) = attr::string(name) else {
        report.at(name, "the name is a string literal: `#[machipc::endpoint(\"com.example.kv\")]`");
        return None;
    };
    let value = literal.value();
    let wrong = if value.is_empty() {
        "an endpoint's name is not empty: use one like \"com.example.kv\"".to_owned()
    } else if value.len() > LONGEST_NAME {
        format!("an endpoint's name has at most {LONGEST_NAME} bytes, and this one has {}", value.len())
    } else if value.contains('\0') {
        "an endpoint's name has no NUL in it: it is a C string on the way to the name server".to_owned()
    } else if value.contains('/') {
        "an endpoint's name has no `/` in it: separate its parts with dots, as in \"com.example.kv\""
            .to_owned()
    } else {
        return Some(literal.clone());
    };
    report.at(literal, wrong);
    None
}

fn pod_arguments(arguments: TokenStream, report: &Report) -> TypeWords {
    match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(arguments) {
        Ok(words) => TypeWords::read_arguments(words, Place::Pod, report),
        Err(error) => {
            report.add(error);
            TypeWords::default()
        }
    }
}

/// Refuses a `#[mach(…)]` on the type, for the macro writes that itself.
fn own_words(input: &mut DeriveInput, instead: &str, report: &Report) {
    input.attrs.retain(|attribute| {
        let is_own = attribute.path().is_ident("mach");
        if is_own {
            report.at(
                attribute,
                format_args!("words for the whole type go into the macro's own attribute: `{instead}`"),
            );
        }
        !is_own
    });
}

/// Two derives would make the same impls.
fn remove_message_derive(attribute: &mut Attribute, why: &str, report: &Report) {
    if !attribute.path().is_ident("derive") {
        return;
    }
    let Ok(derives) = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated) else {
        return;
    };
    let is_message = |path: &Path| path.segments.last().is_some_and(|last| last.ident == "MachMessage");
    let (own, others): (Vec<Path>, Vec<Path>) = derives.into_iter().partition(is_message);
    if let Some(path) = own.first() {
        report.at(path, format_args!("{why}: remove `MachMessage` from the derives"));
        *attribute = syn::parse_quote!(#[derive(#(#others),*)]);
    }
}

/// The path of the runtime crate.
pub fn runtime(words: &TypeWords) -> TokenStream {
    match &words.krate {
        Some(krate) => krate.value.to_token_stream(),
        None => quote!(::machipc),
    }
}
