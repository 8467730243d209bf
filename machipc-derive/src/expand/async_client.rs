//! The typed client of an endpoint that does not block: a future for each variant.

use proc_macro2::TokenStream;
use quote::quote;

use super::client::{self, Manner};
use crate::generics::Head;
use crate::model::{Endpoint, Model};

/// The client's type, which stands beside the blocking one.
pub fn definition(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let what = format!(" [`{}`] without blocking the thread: its methods are futures.", endpoint.client);
    client::wrapper(model, endpoint, &endpoint.async_client, &quote!(AsyncClient), &what)
}

/// What the client can do.
pub fn methods(model: &Model, endpoint: &Endpoint) -> TokenStream {
    let Endpoint { client, async_client, name, visibility, .. } = endpoint;
    let Head { parameters, own, bounds } = Head::of_client(model, async_client);
    let Head { own: blocking, .. } = Head::of_client(model, client);
    let inner = client::inner(model);
    let variants = endpoint
        .variants
        .iter()
        .map(|variant| client::method(model, endpoint, variant, Manner::Asynchronous));
    let connect = format!(" Connects to the host of `{name}`.");
    let connect_timeout =
        format!(" Connects to the host of `{name}`, waiting up to `timeout` for it to appear.");
    let traits = client::traits(model, async_client);
    quote! {
        #[allow(dead_code)]
        impl #parameters #own #bounds {
            #[doc = #connect]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host."]
            #visibility fn connect() -> __rt::Result<Self, __rt::Error> {
                __rt::AsyncClient::connect().map(Self)
            }

            #[doc = " Connects to the host that has this name instead."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is no such host."]
            #visibility fn connect_to(name: &__rt::str) -> __rt::Result<Self, __rt::Error> {
                __rt::AsyncClient::connect_to(name).map(Self)
            }

            #[doc = #connect_timeout]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " When there is still no such host then."]
            #visibility async fn connect_timeout(
                timeout: __rt::Duration,
            ) -> __rt::Result<Self, __rt::Error> {
                __rt::AsyncClient::connect_timeout(timeout).await.map(Self)
            }

            #[doc = " Uses a connection that is there already."]
            #visibility fn from_client(client: __rt::AsyncClient<#inner>) -> Self {
                Self(client)
            }

            #[doc = " The connection, for whatever no method is for."]
            #visibility fn client(&self) -> &__rt::AsyncClient<#inner> {
                &self.0
            }

            #[doc = " The same client with another deadline for each message and call; `None` waits for ever."]
            #[must_use]
            #visibility fn with_deadline(
                &self,
                deadline: impl __rt::Into<__rt::Option<__rt::Duration>>,
            ) -> Self {
                Self(__rt::AsyncClient::with_deadline(&self.0, deadline))
            }

            #[doc = " The same client without the deadline of the request that is being handled."]
            #[must_use]
            #visibility fn detached(&self) -> Self {
                Self(__rt::AsyncClient::detached(&self.0))
            }

            #[doc = " The same client, doing this when the host's queue is full."]
            #[must_use]
            #visibility fn when_full(&self, when_full: __rt::WhenFull) -> Self {
                Self(__rt::AsyncClient::when_full(&self.0, when_full))
            }

            #[doc = " How many messages this client and its clones have dropped because the host's queue was full."]
            #visibility fn dropped(&self) -> __rt::u64 {
                __rt::AsyncClient::dropped(&self.0)
            }

            #(#variants)*
        }

        impl #parameters __rt::From<#blocking> for #own #bounds {
            fn from(client: #blocking) -> Self {
                Self(__rt::From::from(client.0))
            }
        }

        #traits
    }
}
