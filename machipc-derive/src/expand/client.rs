//! The typed clients of an endpoint, the blocking one and the one of futures: a method for each variant.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Ident, Lifetime};

use super::call::Call;
use crate::generics::{self, Head};
use crate::model::{Alternative, Endpoint, Model};
use crate::names;

/// How a client's methods wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Blocking,
    Asynchronous,
}

impl Manner {
    /// The name of the endpoint's client.
    fn name<'e>(self, endpoint: &'e Endpoint) -> &'e Ident {
        match self {
            Self::Blocking => &endpoint.client,
            Self::Asynchronous => &endpoint.async_client,
        }
    }

    /// The runtime crate's client, which the endpoint's one wraps.
    fn wrapped(self) -> TokenStream {
        match self {
            Self::Blocking => quote!(Client),
            Self::Asynchronous => quote!(AsyncClient),
        }
    }
}

/// The client's type, which stands beside the endpoint.
pub fn definition(model: &Model, endpoint: &Endpoint, manner: Manner) -> TokenStream {
    let what = match manner {
        Manner::Blocking => format!(
            " The client of [`{}`]: a method for each of its messages, sent to the endpoint `{}`.",
            endpoint.schema_name(model.ident),
            endpoint.name
        ),
        Manner::Asynchronous => {
            format!(" [`{}`] without blocking the thread: its methods are futures.", endpoint.client)
        }
    };
    wrapper(model, endpoint, manner.name(endpoint), &manner.wrapped(), &what)
}

/// The type `name`, which wraps the `wrapped` of the runtime crate.
fn wrapper(
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
pub fn methods(model: &Model, endpoint: &Endpoint, manner: Manner) -> TokenStream {
    let Endpoint { name, visibility, .. } = endpoint;
    let (client, wrapped) = (manner.name(endpoint), manner.wrapped());
    let Head { parameters, own, bounds } = Head::of_client(model, client);
    let inner = inner(model);
    let variants = endpoint.variants.iter().map(|variant| method(model, endpoint, variant, manner));
    let connect = format!(" Connects to the host of `{name}`.");
    let connect_timeout =
        format!(" Connects to the host of `{name}`, waiting up to `timeout` for it to appear.");
    let (asynchronous, awaited) = match manner {
        Manner::Blocking => (None, None),
        Manner::Asynchronous => (Some(quote!(async)), Some(quote!(.await))),
    };
    let methods = quote! {
        #[allow(dead_code)]
        impl #parameters #own #bounds {
            #[doc = #connect]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host."]
            #visibility fn connect() -> __rt::Result<Self, __rt::Error> {
                __rt::#wrapped::connect().map(Self)
            }

            #[doc = " Connects to the host that has this name instead."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host."]
            #visibility fn connect_to(name: &__rt::str) -> __rt::Result<Self, __rt::Error> {
                __rt::#wrapped::connect_to(name).map(Self)
            }

            #[doc = #connect_timeout]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is still no such host then."]
            #visibility #asynchronous fn connect_timeout(
                timeout: __rt::Duration,
            ) -> __rt::Result<Self, __rt::Error> {
                __rt::#wrapped::connect_timeout(timeout) #awaited.map(Self)
            }

            #[doc = " Connects as the options say."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host, or it does not fit."]
            #visibility #asynchronous fn connect_with(
                options: &__rt::ConnectOptions,
            ) -> __rt::Result<Self, __rt::Error> {
                __rt::#wrapped::connect_with(options) #awaited.map(Self)
            }

            #[doc = " The client of the host to which this is a right, for instance one that came in a message."]
            #visibility fn from_right(right: __rt::SendRight<#inner>) -> Self {
                Self(__rt::#wrapped::from_right(right))
            }

            #[doc = " The client of the host that the parent of this process handed it. It can be taken once."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is none."]
            #visibility fn from_parent() -> __rt::Result<Self, __rt::Error> {
                __rt::#wrapped::from_parent().map(Self)
            }

            #[doc = " Uses a connection that is there already."]
            #visibility fn from_client(client: __rt::#wrapped<#inner>) -> Self {
                Self(client)
            }

            #[doc = " The connection, for whatever no method is for."]
            #visibility fn client(&self) -> &__rt::#wrapped<#inner> {
                &self.0
            }

            #[doc = " The same client with another deadline for each message and call; `None` waits for ever."]
            #[must_use]
            #visibility fn with_deadline(
                &self,
                deadline: impl __rt::Into<__rt::Option<__rt::Duration>>,
            ) -> Self {
                Self(__rt::#wrapped::with_deadline(&self.0, deadline))
            }

            #[doc = " The same client without the deadline of the request that is being handled."]
            #[must_use]
            #visibility fn detached(&self) -> Self {
                Self(__rt::#wrapped::detached(&self.0))
            }

            #[doc = " The same client, doing this when the host's queue is full."]
            #[must_use]
            #visibility fn when_full(&self, when_full: __rt::WhenFull) -> Self {
                Self(__rt::#wrapped::when_full(&self.0, when_full))
            }

            #[doc = " How many messages this client and its clones have dropped because the host's queue was full."]
            #visibility fn dropped(&self) -> __rt::u64 {
                __rt::#wrapped::dropped(&self.0)
            }

            #(#variants)*
        }
    };
    let from_blocking = (manner == Manner::Asynchronous).then(|| {
        let Head { own: blocking, .. } = Head::of_client(model, &endpoint.client);
        quote! {
            impl #parameters __rt::From<#blocking> for #own #bounds {
                fn from(client: #blocking) -> Self {
                    Self(__rt::From::from(client.0))
                }
            }
        }
    });
    let traits = traits(model, client);
    quote!(#methods #from_blocking #traits)
}

/// What every wrapper is beside its methods.
fn traits(model: &Model, client: &Ident) -> TokenStream {
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

/// A variant's method.
fn method(model: &Model, endpoint: &Endpoint, variant: &Alternative, manner: Manner) -> TokenStream {
    let visibility = endpoint.visibility;
    let method = &variant.method;
    let carried = variant.attributes.iter().filter(|attribute| is_carried(attribute));
    let is_documented = variant.attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    let link = format!("[`{}::{}`]", names::plain(model.ident), names::plain(variant.ident));
    let call = Call::of(model, endpoint, variant);
    let (parameters, streams, message, reply) =
        (call.parameters(), call.streams(), call.message(), call.reply());
    let request = quote!(&self.0, |#reply| #message);
    let (sent, summary, errors) = match call.answer {
        Some(answer) if call.is_pending() => (
            match manner {
                Manner::Blocking => quote!(<#answer as __rt::Answer>::start(#request)),
                Manner::Asynchronous => {
                    quote!(<#answer as __rt::Answer>::asker(&self.0).start(|#reply| #message).await)
                }
            },
            format!(" Sends {link} and returns what waits for the answer."),
            " When the message cannot be sent.",
        ),
        Some(answer) => (
            match manner {
                Manner::Blocking => quote!(<#answer as __rt::Answer>::call(#request)),
                Manner::Asynchronous => {
                    quote!(<#answer as __rt::Answer>::asker(&self.0).call(|#reply| #message).await)
                }
            },
            format!(" Sends {link} and waits for the answer."),
            " When the message cannot be sent, or no answer comes.",
        ),
        None => {
            let sent = match manner {
                Manner::Blocking => quote!(__rt::Client::send(&self.0, #message)),
                Manner::Asynchronous => quote!(__rt::AsyncClient::send(&self.0, #message).await),
            };
            (
                quote!(#sent.map_err(__rt::SendError::into_error)),
                format!(" Sends {link}."),
                " When the message cannot be sent.",
            )
        }
    };
    let returned = call.returned();
    let result = call.result(sent);
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
        #visibility #asynchronous fn #method(&self #parameters) -> #returned {
            #streams
            #result
        }
    }
}

/// The attributes of a variant that its method has as well.
fn is_carried(attribute: &Attribute) -> bool {
    ["doc", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
}

/// The endpoint without anything borrowed.
fn inner(model: &Model) -> TokenStream {
    generics::with_lifetime(model, &Lifetime::new("'static", Span::call_site()))
}
