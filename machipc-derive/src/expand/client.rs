//! The typed client of an endpoint: a method for each variant.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Ident, Lifetime};

use super::call::Call;
use crate::generics::{self, Head};
use crate::model::{Alternative, Endpoint, Model};
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
    let variants = endpoint.variants.iter().map(|variant| method(model, endpoint, variant, Manner::Blocking));
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

            #[doc = " The same client without the deadline of the request that is being handled."]
            #[must_use]
            #visibility fn detached(&self) -> Self {
                Self(__rt::Client::detached(&self.0))
            }

            #[doc = " The same client, doing this when the host's queue is full."]
            #[must_use]
            #visibility fn when_full(&self, when_full: __rt::WhenFull) -> Self {
                Self(__rt::Client::when_full(&self.0, when_full))
            }

            #[doc = " How many messages this client and its clones have dropped because the host's queue was full."]
            #visibility fn dropped(&self) -> __rt::u64 {
                __rt::Client::dropped(&self.0)
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

/// How a client's methods wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Blocking,
    Asynchronous,
}

/// A variant's method.
pub fn method(model: &Model, endpoint: &Endpoint, variant: &Alternative, manner: Manner) -> TokenStream {
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
pub fn inner(model: &Model) -> TokenStream {
    generics::with_lifetime(model, &Lifetime::new("'static", Span::call_site()))
}
