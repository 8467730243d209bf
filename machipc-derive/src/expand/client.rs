//! The typed client of an endpoint: a method for each variant.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Ident, Lifetime, Member, Type};

use super::fields;
use crate::generics::{self, Head};
use crate::model::{Alternative, Endpoint, Group, Model, Role};
use crate::names;

/// The client's type, which stands beside the endpoint.
pub fn definition(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let what = format!(
        " The client of [`{}`]: a method for each of its messages, sent to the endpoint `{}`.",
        endpoint.schema_name(model.ident),
        endpoint.name
    );
    wrapper(model, endpoint, &endpoint.client, &quote!(Client), &what)
}

/// The type `name`, which wraps the `wrapped` of the runtime crate.
pub fn wrapper(
    model: &Model,
    endpoint: &Endpoint,
    name: &Ident,
    wrapped: &TokenStream,
    what: &str,
) -> TokenStream {
    let visibility = endpoint.visibility;
    let krate = &model.krate;
    let private = names::private_module();
    let generics = generics::client_generics(model, &quote!(#krate::#private));
    let (_, _, bounds) = generics.split_for_impl();
    let inner = inner(model);
    let bounds_apart = super::allow_bounds_apart(model);
    let clones = " Clones share the connection, and any thread may use it.";
    quote! {
        #[doc = #what]
        #[doc = #clones]
        #[allow(dead_code)]
        #bounds_apart
        #visibility struct #name #generics (#krate::#wrapped<#inner>) #bounds;
    }
}

/// What the client can do.
pub fn methods(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let Endpoint { client, name, visibility, .. } = endpoint;
    let Head { parameters, own, bounds } = Head::of_client(model, client);
    let inner = inner(model);
    let variants =
        endpoint.variants.iter().map(|variant| method(model, visibility, variant, Manner::Blocking));
    let connect = format!(" Connects to the host of `{name}`.");
    let connect_timeout =
        format!(" Connects to the host of `{name}`, waiting up to `timeout` for it to appear.");
    let methods = quote! {
        #[allow(dead_code)]
        impl #parameters #own #bounds {
            #[doc = #connect]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host."]
            #visibility fn connect() -> __rt::Result<Self, __rt::Error> {
                __rt::Client::connect().map(Self)
            }

            #[doc = " Connects to the host that has this name instead."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host."]
            #visibility fn connect_to(name: &__rt::str) -> __rt::Result<Self, __rt::Error> {
                __rt::Client::connect_to(name).map(Self)
            }

            #[doc = #connect_timeout]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is still no such host then."]
            #visibility fn connect_timeout(
                timeout: __rt::Duration,
            ) -> __rt::Result<Self, __rt::Error> {
                __rt::Client::connect_timeout(timeout).map(Self)
            }

            #[doc = " Connects as the options say."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host, or it does not fit."]
            #visibility fn connect_with(
                options: &__rt::ConnectOptions,
            ) -> __rt::Result<Self, __rt::Error> {
                __rt::Client::connect_with(options).map(Self)
            }

            #[doc = " The client of the host to which this is a right, for instance one that came in a message."]
            #visibility fn from_right(right: __rt::SendRight<#inner>) -> Self {
                Self(__rt::Client::from_right(right))
            }

            #[doc = " The client of the host that the parent of this process handed it. It can be taken once."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is none."]
            #visibility fn from_parent() -> __rt::Result<Self, __rt::Error> {
                __rt::Client::from_parent().map(Self)
            }

            #[doc = " Uses a connection that is there already."]
            #visibility fn from_client(client: __rt::Client<#inner>) -> Self {
                Self(client)
            }

            #[doc = " The connection, for whatever no method is for."]
            #visibility fn client(&self) -> &__rt::Client<#inner> {
                &self.0
            }

            #[doc = " The same client with another deadline for each message and call; `None` waits for ever."]
            #[must_use]
            #visibility fn with_deadline(
                &self,
                deadline: impl __rt::Into<__rt::Option<__rt::Duration>>,
            ) -> Self {
                Self(__rt::Client::with_deadline(&self.0, deadline))
            }

            #(#variants)*
        }
    };
    let traits = traits(model, client);
    quote!(#methods #traits)
}

/// What every wrapper is beside its methods.
pub fn traits(model: &Model, client: &Ident) -> TokenStream {
    let Head { parameters, own, bounds } = Head::of_client(model, client);
    let client_name = client.to_string();
    quote! {
        impl #parameters __rt::Clone for #own #bounds {
            fn clone(&self) -> Self {
                Self(__rt::Clone::clone(&self.0))
            }
        }

        impl #parameters __rt::fmt::Debug for #own #bounds {
            fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
                __rt::fmt_client(__f, #client_name, &self.0)
            }
        }
    }
}

/// What a variant's method returns when all goes well.
fn returned<'g>(group: &Group<'g>) -> Option<&'g Type> {
    group.fields.iter().find_map(|field| match field.role {
        Role::Reply(answer) => Some(answer),
        _ => None,
    })
}

/// How a client's methods wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Blocking,
    Asynchronous,
}

/// A variant's method.
pub fn method(
    model: &Model,
    visibility: &syn::Visibility,
    variant: &Alternative,
    manner: Manner,
) -> TokenStream {
    let method = &variant.method;
    let name = names::plain(model.ident);
    let carried = variant.attributes.iter().filter(|attribute| is_carried(attribute));
    let is_documented = variant.attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    let parameters = sent(&variant.group).map(|(name, ty)| {
        let ty = generics::without_lifetimes(model, ty);
        quote!(, #name: #ty)
    });
    let ident = variant.ident;
    let own = model.ident;
    let message = fields::construct(&variant.group, &quote!(#own::#ident), |field| {
        parameter(&variant.group, field.member)
    });
    let link = format!("[`{name}::{}`]", names::plain(ident));
    let (answer, body, summary, errors) = match returned(&variant.group) {
        Some(answer) => {
            let reply = reply_parameter(&variant.group);
            let body = match manner {
                Manner::Blocking => quote!(<#answer as __rt::Answer>::call(&self.0, |#reply| #message)),
                Manner::Asynchronous => {
                    quote!(<#answer as __rt::Answer>::call_async(&self.0, |#reply| #message).await)
                }
            };
            let errors = " When the message cannot be sent, or no answer comes.";
            (quote!(#answer), body, format!(" Sends {link} and waits for the answer."), errors)
        }
        None => {
            let sent = match manner {
                Manner::Blocking => quote!(__rt::Client::send(&self.0, #message)),
                Manner::Asynchronous => quote!(__rt::AsyncClient::send(&self.0, #message).await),
            };
            let body = quote!(#sent.map_err(__rt::SendError::into_error));
            (quote!(()), body, format!(" Sends {link}."), " When the message cannot be sent.")
        }
    };
    let asynchronous = (manner == Manner::Asynchronous).then(|| quote!(async));
    // The user's own words come first and are the summary then.
    let summary =
        if is_documented { quote!(#[doc = ""] #[doc = #summary]) } else { quote!(#[doc = #summary]) };
    quote! {
        #(#carried)*
        #summary
        #[doc = ""]
        #[doc = " # Errors"]
        #[doc = #errors]
        #visibility #asynchronous fn #method(&self #(#parameters)*) -> __rt::Result<#answer, __rt::Error> {
            #body
        }
    }
}

/// The attributes of a variant that its method has as well.
fn is_carried(attribute: &Attribute) -> bool {
    ["doc", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
}

/// The names and types of a method's parameters: all fields but the reply.
fn sent<'g>(group: &'g Group<'g>) -> impl Iterator<Item = (Ident, &'g Type)> {
    let sent = group.fields.iter().filter(|field| !matches!(field.role, Role::Reply(_)));
    sent.map(|field| (parameter(group, field.member), field.ty))
}

/// The variable that holds the reply.
fn reply_parameter(group: &Group) -> Ident {
    let reply = group.fields.iter().find(|field| matches!(field.role, Role::Reply(_)));
    reply.map_or_else(|| Ident::new("reply", Span::call_site()), |field| parameter(group, field.member))
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

/// The endpoint without anything borrowed.
pub fn inner(model: &Model) -> TokenStream {
    generics::with_lifetime(model, &Lifetime::new("'static", Span::call_site()))
}
