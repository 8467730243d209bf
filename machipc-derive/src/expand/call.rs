//! What a client's method takes, sends and returns.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{GenericArgument, Ident, Member, Type};

use super::fields;
use crate::ast::{self, End};
use crate::generics;
use crate::model::{Alternative, Endpoint, Group, Model, Part, Role};
use crate::names;

/// The call of a variant.
pub struct Call<'g> {
    model: &'g Model<'g>,
    variant: &'g Alternative<'g>,
    /// The reply's type, for a request.
    pub answer: Option<&'g Type>,
    /// What the answer is to the method: where it is a `Result`, its two sides.
    outcome: Option<Outcome>,
    streams: Vec<Stream<'g>>,
    flat_errors: bool,
}

/// An answer that is a `Result`.
struct Outcome {
    value: TokenStream,
    error: TokenStream,
    has_value: bool,
}

/// An end of a stream that is sent, the other being returned.
struct Stream<'g> {
    sent: Ident,
    kept: Ident,
    ty: &'g Type,
    end: End<'g>,
}

impl<'g> Call<'g> {
    pub fn of(model: &'g Model<'g>, endpoint: &Endpoint, variant: &'g Alternative<'g>) -> Self {
        let group = &variant.group;
        let answer = group.fields.iter().find_map(|field| match field.role {
            Role::Reply(answer) => Some(answer),
            _ => None,
        });
        let streams = group.fields.iter().filter_map(|field| match field.role {
            Role::Stream(end) => {
                let sent = parameter(group, field.member);
                let kept = format_ident!("__{}", names::plain(&sent), span = Span::mixed_site());
                Some(Stream { sent, kept, ty: field.ty, end })
            }
            _ => None,
        });
        let streams = streams.collect();
        let outcome = answer.and_then(Outcome::of);
        Self { model, variant, answer, outcome, streams, flat_errors: endpoint.flat_errors }
    }

    /// The method's parameters behind `&self`: all fields but the reply and the streams.
    pub fn parameters(&self) -> TokenStream {
        let group = &self.variant.group;
        let is_sent = |field: &&Part| !matches!(field.role, Role::Reply(_) | Role::Stream(_));
        let parameters = group.fields.iter().filter(is_sent).map(|field| {
            let name = parameter(group, field.member);
            let ty = generics::without_lifetimes(self.model, field.ty);
            quote!(, #name: #ty)
        });
        quote!(#(#parameters)*)
    }

    /// The message, of the parameters, the streams and [`reply`](Self::reply).
    pub fn message(&self) -> TokenStream {
        let (own, ident) = (self.model.ident, self.variant.ident);
        let group = &self.variant.group;
        fields::construct(group, &quote!(#own::#ident), |field| parameter(group, field.member))
    }

    /// The variable that holds the reply.
    pub fn reply(&self) -> Ident {
        let group = &self.variant.group;
        let reply = group.fields.iter().find(|field| matches!(field.role, Role::Reply(_)));
        reply.map_or_else(|| Ident::new("reply", Span::call_site()), |field| parameter(group, field.member))
    }

    /// Whether the method returns before the answer is there: the host may want the caller's stream first.
    pub fn is_pending(&self) -> bool {
        self.answer.is_some() && self.streams.iter().any(|stream| !stream.end.is_sink)
    }

    /// The statements that make the streams.
    pub fn streams(&self) -> TokenStream {
        let make = self.streams.iter().map(
            |Stream { sent, kept, ty, .. }| quote!(let (#sent, #kept) = <#ty as __rt::StreamEnd>::pair()?;),
        );
        quote!(#(#make)*)
    }

    /// What the method returns.
    pub fn returned(&self) -> TokenStream {
        let ends = self.streams.iter().map(|Stream { end, .. }| {
            let krate = &self.model.krate;
            let arguments = &end.arguments;
            if end.is_sink { quote!(#krate::Source #arguments) } else { quote!(#krate::Sink #arguments) }
        });
        let ends: Vec<TokenStream> = ends.collect();
        let beside = |value: Option<TokenStream>| tuple(value.into_iter().chain(ends.iter().cloned()));
        let Some(answer) = self.answer else {
            let ends = beside(None);
            return quote!(__rt::Result<#ends, __rt::Error>);
        };
        if self.is_pending() {
            let krate = &self.model.krate;
            let all = beside(Some(quote!(#krate::PendingReply<#answer>)));
            return quote!(__rt::Result<#all, __rt::Error>);
        }
        match &self.outcome {
            Some(Outcome { value, error, has_value }) if self.flat_errors => {
                let all = beside(has_value.then(|| value.clone()));
                quote!(__rt::Result<#all, __rt::CallError<#error>>)
            }
            Some(Outcome { value, error, has_value }) if !ends.is_empty() => {
                let all = beside(has_value.then(|| value.clone()));
                quote!(__rt::Result<__rt::Result<#all, #error>, __rt::Error>)
            }
            _ => {
                let value = (ends.is_empty() || !is_unit(answer)).then(|| quote!(#answer));
                let all = beside(value);
                quote!(__rt::Result<#all, __rt::Error>)
            }
        }
    }

    /// What the method returns, of the result of sending or calling.
    pub fn result(&self, sent: TokenStream) -> TokenStream {
        let outcome = self.outcome.as_ref().filter(|_| !self.is_pending());
        let is_flat = outcome.is_some() && self.flat_errors;
        let sent = if is_flat { quote!(__rt::flatten(#sent)) } else { sent };
        if self.streams.is_empty() {
            return sent;
        }
        let has_value = match outcome {
            Some(outcome) => outcome.has_value,
            None => self.is_pending() || self.answer.is_some_and(|answer| !is_unit(answer)),
        };
        let value = has_value.then(|| quote!(__answer));
        let ends = self.streams.iter().map(|Stream { kept, .. }| quote!(#kept));
        let all = tuple(value.clone().into_iter().chain(ends));
        let value = value.unwrap_or_else(|| quote!(()));
        if outcome.is_some() && !is_flat {
            quote!(#sent.map(|__answer| __answer.map(|#value| #all)))
        } else {
            quote!(#sent.map(|#value| #all))
        }
    }
}

impl Outcome {
    /// The two sides of a type that is written `Result<…>`, under whatever path: an alias may have set one of them.
    fn of(answer: &Type) -> Option<Self> {
        let arguments = ast::arguments(answer, "Result")?;
        let mut types = arguments.args.iter().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        });
        Some(match (types.next(), types.next()) {
            (Some(value), Some(error)) => {
                Self { value: quote!(#value), error: quote!(#error), has_value: !is_unit(value) }
            }
            (value, _) => Self {
                value: quote!(<#answer as __rt::Outcome>::Value),
                error: quote!(<#answer as __rt::Outcome>::Error),
                has_value: !value.is_some_and(is_unit),
            },
        })
    }
}

/// A named field's name; `value`, `value_1`, … and `reply` where the fields have none.
fn parameter(group: &Group, member: &Member) -> Ident {
    let index = match member {
        Member::Named(name) => return name.clone(),
        Member::Unnamed(index) => index.index as usize,
    };
    let is_reply =
        |index: usize| group.fields.get(index).is_some_and(|field| matches!(field.role, Role::Reply(_)));
    let values = (0..group.fields.len()).filter(|index| !is_reply(*index)).count();
    match index {
        index if is_reply(index) => Ident::new("reply", Span::call_site()),
        _ if values == 1 => Ident::new("value", Span::call_site()),
        index => format_ident!("value_{index}"),
    }
}

/// Whether the type is `()`.
fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// One thing as it is, any other number as a tuple.
fn tuple(parts: impl Iterator<Item = TokenStream>) -> TokenStream {
    let parts: Vec<TokenStream> = parts.collect();
    match parts.as_slice() {
        [one] => one.clone(),
        parts => quote!((#(#parts),*)),
    }
}
