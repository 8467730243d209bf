//! The generated code, kept as files that a reader can read and a change has to change.
//!
//! `tests/golden/NAME.rs` holds items as a user writes them, `tests/golden/NAME.expanded.rs` the same items as the compiler gets them.
//! `MACHIPC_RENEW_GOLDEN=1 cargo test -p machipc-derive` writes the latter anew, in rustfmt's form where there is a rustfmt. Compared
//! is what no formatter changes, so that the test needs none.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, DeriveInput, Item, Meta, Path, Token};

use crate::ast::Flavor;
use crate::{derive, wrap};

macro_rules! golden {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            compare(
                stringify!($name),
                include_str!(concat!("../tests/golden/", stringify!($name), ".rs")),
                include_str!(concat!("../tests/golden/", stringify!($name), ".expanded.rs")),
            );
        }
    )* };
}

golden! { messages generic pod kv service async_service }

const RENEW: &str = "MACHIPC_RENEW_GOLDEN";

#[track_caller]
fn compare(name: &str, source: &str, golden: &str) {
    let expanded = expand(source);
    if std::env::var_os(RENEW).is_some() {
        return renew(name, &expanded);
    }
    let (golden, expanded) = (words(golden), words(&expanded));
    let difference = golden.iter().zip(&expanded).position(|(golden, expanded)| golden != expanded);
    if let Some(start) =
        difference.or((golden.len() != expanded.len()).then_some(golden.len().min(expanded.len())))
    {
        let around =
            |words: &[String]| words[start.saturating_sub(12)..words.len().min(start + 12)].join(" ");
        panic!(
            "{name}.expanded.rs has\n  {}\nwhere the macro makes\n  {}\n{RENEW}=1 writes the file anew",
            around(&golden),
            around(&expanded)
        );
    }
}

/// The tokens of a file without what formatters add and take away: comments, braces around single expressions, and commas at ends.
fn words(source: &str) -> Vec<String> {
    fn collect(tokens: TokenStream, words: &mut Vec<String>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::Brace | Delimiter::None => ("", ""),
                    };
                    words.push(open.to_owned());
                    collect(group.stream(), words);
                    words.push(close.to_owned());
                }
                TokenTree::Punct(punct) if punct.as_char() == ',' => {}
                other => words.push(other.to_string()),
            }
        }
    }
    let mut all = Vec::new();
    collect(source.parse().expect("the golden file is Rust"), &mut all);
    all.retain(|word| !word.is_empty());
    all
}

fn renew(name: &str, expanded: &str) {
    let path = format!("{}/tests/golden/{name}.expanded.rs", env!("CARGO_MANIFEST_DIR"));
    let text = format!("// Made from {name}.rs by {RENEW}=1 cargo test -p machipc-derive\n\n{expanded}");
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    // Without rustfmt the file is as right, and less pretty.
    let _ = std::process::Command::new("rustfmt").args(["--edition", "2024", &path]).status();
}

/// The file with every macro of ours expanded, the items themselves left in place.
fn expand(source: &str) -> String {
    let mut file = syn::parse_file(source).expect("the golden file is Rust");
    let items: Vec<TokenStream> = file.items.iter().map(|item| expand_item(item.clone())).collect();
    file.items = syn::parse2::<syn::File>(quote!(#(#items)*)).expect("the generated code is Rust").items;
    prettyplease::unparse(&file)
}

fn expand_item(mut item: Item) -> TokenStream {
    let attributes = match &mut item {
        Item::Enum(item) => &mut item.attrs,
        Item::Struct(item) => &mut item.attrs,
        Item::Trait(item) => &mut item.attrs,
        _ => return item.to_token_stream(),
    };
    let macros: Vec<Attribute> = attributes.extract_if(.., |attribute| is_ours(attribute)).collect();
    match macros.first() {
        Some(attribute) => {
            let arguments = match &attribute.meta {
                Meta::List(list) => list.tokens.clone(),
                _ => TokenStream::new(),
            };
            let is_pod = attribute.path().segments.last().is_some_and(|last| last.ident == "pod");
            let wrapped = if is_pod {
                wrap::pod(arguments, item.to_token_stream())
            } else {
                wrap::endpoint(arguments, item.to_token_stream())
            };
            let wrapped = syn::parse2::<syn::File>(wrapped).expect("an attribute macro gives items");
            wrapped.items.into_iter().map(expand_derives).collect()
        }
        None => expand_derives(item),
    }
}

fn is_derive(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "derive")
}

fn is_ours(attribute: &Attribute) -> bool {
    let path = attribute.path();
    path.segments.len() == 2 && path.segments[0].ident == "machipc"
}

fn expand_derives(item: Item) -> TokenStream {
    let Ok(input) = syn::parse2::<DeriveInput>(item.to_token_stream()) else {
        return item.to_token_stream();
    };
    let mut flavor = None;
    let mut plain = input.clone();
    for attribute in &mut plain.attrs {
        if is_derive(attribute) {
            let paths = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
            let others: Vec<Path> = paths
                .expect("derives are paths")
                .into_iter()
                .filter(|path| match path.segments.last().map(|last| last.ident.to_string()).as_deref() {
                    Some("MachMessage") => {
                        flavor = Some(Flavor::Message);
                        false
                    }
                    Some("Endpoint") => {
                        flavor = Some(Flavor::Endpoint);
                        false
                    }
                    _ => true,
                })
                .collect();
            *attribute = syn::parse_quote!(#[derive(#(#others),*)]);
        }
    }
    let generated = flavor.map(|flavor| derive(flavor, input.to_token_stream()));
    let is_empty_derive = |attribute: &Attribute| {
        is_derive(attribute) && matches!(&attribute.meta, Meta::List(list) if list.tokens.is_empty())
    };
    plain.attrs.retain(|attribute| !attribute.path().is_ident("mach") && !is_empty_derive(attribute));
    let without_words =
        |attributes: &mut Vec<Attribute>| attributes.retain(|attribute| !attribute.path().is_ident("mach"));
    match &mut plain.data {
        syn::Data::Struct(data) => data.fields.iter_mut().for_each(|field| without_words(&mut field.attrs)),
        syn::Data::Enum(data) => {
            for variant in &mut data.variants {
                without_words(&mut variant.attrs);
                variant.fields.iter_mut().for_each(|field| without_words(&mut field.attrs));
            }
        }
        syn::Data::Union(_) => {}
    }
    quote!(#plain #generated)
}
