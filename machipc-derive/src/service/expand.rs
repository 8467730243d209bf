//! What a trait becomes: the enum of its messages, and the server that calls an implementation.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::visit_mut::VisitMut;
use syn::{Data, DeriveInput, Ident, Lifetime, TypeBareFn, TypeReference};

use super::{Method, Parameter, Service, rules};
use crate::attr::TypeWords;
use crate::{names, wrap};

/// The enum with a variant for each method.
pub fn message(service: &Service, words: &TypeWords) -> DeriveInput {
    let Service { item, name, client, message, methods, .. } = service;
    let mut elided = Elided { found: false };
    let runtime = wrap::runtime(words);
    let variants: Vec<TokenStream> =
        methods.iter().map(|method| variant(method, &runtime, &mut elided)).collect();
    let lifetime = elided.found.then(|| {
        let lifetime = Elided::lifetime(Span::call_site());
        quote!(<#lifetime>)
    });
    let visibility = &item.vis;
    let ident = &item.ident;
    let flat_errors = words.flat_errors.as_ref().map(|_| quote!(, flat_errors));
    let krate = words.krate.as_ref().map(|word| &word.value).map(|krate| quote!(, crate = #krate));
    let what = format!(" The messages of [`{}`]: a variant for each of its methods.", names::plain(ident));
    syn::parse_quote! {
        #[doc = #what]
        #[allow(missing_docs, dead_code)]
        #[mach(endpoint = #name, client = #client, service = #ident #flat_errors #krate)]
        #visibility enum #message #lifetime {
            #(#variants,)*
        }
    }
}

/// What the enum is handed to.
pub fn derive(words: &TypeWords) -> TokenStream {
    let runtime = wrap::runtime(words);
    let private = names::private_module();
    quote!(#[::core::prelude::v1::derive(#runtime::#private::Endpoint)])
}

/// The enum where nothing reads our words.
pub fn without_words(message: &DeriveInput) -> DeriveInput {
    let mut message = message.clone();
    message.attrs.retain(|attribute| !attribute.path().is_ident("mach"));
    if let Data::Enum(data) = &mut message.data {
        for variant in &mut data.variants {
            variant.attrs.retain(|attribute| !attribute.path().is_ident("mach"));
            for field in &mut variant.fields {
                field.attrs.clear();
            }
        }
    }
    message
}

/// What serves an implementation.
pub fn server(service: &Service, enumeration: &DeriveInput, words: &TypeWords) -> TokenStream {
    let Service { item, name, message, server, methods, .. } = service;
    let runtime = wrap::runtime(words);
    let private = names::private_module();
    let (visibility, ident) = (&item.vis, &item.ident);
    // The user's trait may have any name.
    let implementation = format_ident!("{}", if ident == "T" { "T_" } else { "T" });
    let borrows = !enumeration.generics.params.is_empty();
    let lent = if borrows { quote!(#message<'_>) } else { quote!(#message) };

    let endpoint = name.value();
    let (trait_name, message_name) = (names::plain(ident), names::plain(message));
    let what = format!(
        " Serves an implementation of [`{trait_name}`] to the clients of the endpoint `{endpoint}`. Clones share it."
    );
    let how = if service.is_async() {
        format!(
            " It is the handler of an asynchronous host: `Host::<{message_name}>::builder().serve_async_on(spawn, server)`."
        )
    } else {
        " Start it with `bind` or `run`, or have a host with settings of its own take its `handler`."
            .to_owned()
    };
    let debug = server.to_string();
    let messages = methods.iter().map(|method| {
        let Method { variant, .. } = method;
        let conditions = method.conditions();
        let rest = method.has_fields().then(|| quote!({ .. }));
        let text = format!("{message_name}::{variant}");
        quote!(#(#conditions)* Self::#variant #rest => #text,)
    });
    let arms: Vec<TokenStream> = methods.iter().map(|method| arm(service, method, &implementation)).collect();
    let host = if service.is_async() {
        asynchronous(service, borrows, &implementation, &arms)
    } else {
        blocking(service, borrows, &implementation, &arms)
    };
    quote! {
        #[doc = #what]
        #[doc = ""]
        #[doc = #how]
        #[allow(dead_code)]
        #visibility struct #server<#implementation>(#runtime::#private::Arc<#implementation>);

        #[allow(deprecated, dead_code, elided_lifetimes_in_paths)]
        const _: () = {
            use #runtime::#private as __rt;

            impl<#implementation: #ident + __rt::Send + __rt::Sync + 'static> #server<#implementation> {
                #[doc = " A server of this implementation."]
                #visibility fn new(implementation: #implementation) -> Self {
                    Self(__rt::Arc::new(implementation))
                }

                #[doc = " The implementation."]
                #visibility fn implementation(&self) -> &__rt::Arc<#implementation> {
                    &self.0
                }
            }

            #host

            /// Which message it is. What is in it is the caller's, and not for every log.
            impl __rt::fmt::Debug for #lent {
                fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
                    __f.write_str(match self {
                        #(#messages)*
                    })
                }
            }

            impl<#implementation> __rt::From<__rt::Arc<#implementation>> for #server<#implementation> {
                fn from(implementation: __rt::Arc<#implementation>) -> Self {
                    Self(implementation)
                }
            }

            impl<#implementation> __rt::Clone for #server<#implementation> {
                fn clone(&self) -> Self {
                    Self(__rt::Clone::clone(&self.0))
                }
            }

            impl<#implementation> __rt::fmt::Debug for #server<#implementation> {
                fn fmt(&self, __f: &mut __rt::fmt::Formatter<'_>) -> __rt::fmt::Result {
                    __f.write_str(#debug)
                }
            }
        };
    }
}

/// How a host with threads handles a message.
fn blocking(service: &Service, borrows: bool, implementation: &Ident, arms: &[TokenStream]) -> TokenStream {
    let Service { item, message, server, .. } = service;
    let (visibility, ident) = (&item.vis, &item.ident);
    let owned = if borrows { quote!(#message<'static>) } else { quote!(#message) };
    let lent = if borrows { quote!(#message<'_>) } else { quote!(#message) };
    let message_name = names::plain(message);
    let handler =
        format!(" The handler: `Host::<{message_name}>::builder().threads(4).bind(server.handler())`.");
    let handle =
        format!(" Calls the method that [`{message_name}`] is about, and answers with what it returns.");
    quote! {
        impl<#implementation: #ident + __rt::Send + __rt::Sync + 'static> #server<#implementation> {
            #[doc = " Starts a host of the endpoint on a thread of its own."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " As `Host::bind`: when the name has a host already."]
            #visibility fn bind(self) -> __rt::Result<__rt::Host<#owned>, __rt::Error> {
                __rt::Host::<#owned>::bind(self.handler())
            }

            #[doc = " Runs a host of the endpoint on this thread, until a method stops it through its context."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = " As `HostBuilder::run`: when the name has a host already."]
            #visibility fn run(self) -> __rt::Result<__rt::HostStats, __rt::Error> {
                __rt::Host::<#owned>::builder().run(self.handler())
            }

            #[doc = #handler]
            #visibility fn handler(
                self,
            ) -> impl __rt::Fn(#lent, &__rt::Context) + __rt::Send + __rt::Sync + 'static {
                move |__message: #lent, __cx: &__rt::Context| self.handle(__message, __cx)
            }

            #[doc = #handle]
            #visibility fn handle(&self, message: #lent, cx: &__rt::Context) {
                let (__message, __cx) = (message, cx);
                match __message {
                    #(#arms)*
                }
            }
        }
    }
}

/// How an asynchronous host handles a message.
fn asynchronous(
    service: &Service,
    borrows: bool,
    implementation: &Ident,
    arms: &[TokenStream],
) -> TokenStream {
    let Service { item, message, server, .. } = service;
    let ident = &item.ident;
    let owned = if borrows { quote!(#message<'static>) } else { quote!(#message) };
    let lent = if borrows { quote!(#message<'__m>) } else { quote!(#message) };
    quote! {
        impl<#implementation> __rt::AsyncHandler<#owned> for #server<#implementation>
        where
            #implementation: #ident + __rt::Send + __rt::Sync + 'static,
        {
            async fn handle<'__m>(&self, __message: #lent, __cx: &'__m __rt::Context) {
                match __message {
                    #(#arms)*
                }
            }
        }
    }
}

/// The call of a method, for its message.
fn arm(service: &Service, method: &Method, implementation: &Ident) -> TokenStream {
    let (service, message) = (&service.item.ident, &service.message);
    let Method { ident, variant, parameters, answer, .. } = method;
    let conditions = method.conditions();
    let binding = |name: &Ident| format_ident!("__{}", names::plain(name), span = Span::mixed_site());
    let fields = parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Field { name, .. } => {
            let binding = binding(name);
            Some(quote!(#name: #binding))
        }
        Parameter::Context => None,
    });
    let arguments = parameters.iter().map(|parameter| match parameter {
        Parameter::Field { name, .. } => binding(name),
        Parameter::Context => format_ident!("__cx"),
    });
    // The answer of such a method comes first.
    let is_answered_first =
        answer.as_ref().is_some_and(|answer| rules::is_unit(answer) && method.only_streams_back());
    let is_cancellable = method.is_async && answer.is_some() && !is_answered_first;
    let mutable = is_cancellable.then(|| quote!(mut));
    let reply = answer.is_some().then(|| quote!(reply: #mutable __reply));
    let fields: Vec<TokenStream> = fields.chain(reply).collect();
    let pattern = (!fields.is_empty()).then(|| quote!({ #(#fields),* }));
    let call = quote!(<#implementation as #service>::#ident(&self.0 #(, #arguments)*));
    let wait = method.is_async.then(|| quote!(.await));
    let call = match answer {
        // The caller gets its end of the stream with the answer, and the method may go on until the stream ends.
        Some(answer) if is_answered_first => {
            quote!({ <#answer as __rt::Answer>::send(__reply, ()); #call #wait })
        }
        Some(answer) if is_cancellable => quote! {
            if let __rt::Some(__answer) = __rt::Reply::run_until_cancelled(&mut __reply, #call).await {
                <#answer as __rt::Answer>::send(__reply, __answer)
            }
        },
        Some(answer) => quote!(<#answer as __rt::Answer>::send(__reply, #call)),
        None => quote!(#call #wait),
    };
    quote! {
        #(#conditions)*
        #message::#variant #pattern => #call,
    }
}

fn variant(method: &Method, runtime: &TokenStream, elided: &mut Elided) -> TokenStream {
    let Method { variant, attributes, .. } = method;
    let mut fields = Vec::new();
    for parameter in &method.parameters {
        if let Parameter::Field { name, ty, words } = parameter {
            let mut ty = ty.clone();
            elided.visit_type_mut(&mut ty);
            fields.push(quote!(#words #name: #ty));
        }
    }
    if let Some(answer) = &method.answer {
        let mut answer = answer.clone();
        // What an answer borrows is a mistake, of which the enum has to be made all the same.
        elided.visit_type_mut(&mut answer);
        fields.push(quote!(reply: #runtime::Reply<#answer>));
    }
    let fields = (!fields.is_empty()).then(|| quote!({ #(#fields),* }));
    quote!(#(#attributes)* #variant #fields)
}

/// Names the lifetimes that a method's parameters may leave out.
struct Elided {
    found: bool,
}

impl Elided {
    fn lifetime(span: Span) -> Lifetime {
        Lifetime::new("'a", span)
    }
}

impl VisitMut for Elided {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            self.found = true;
            reference.lifetime = Some(Self::lifetime(reference.and_token.spans[0]));
        }
        syn::visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        // Others than `'static` are mistakes, which were told.
        if lifetime.ident != "static" {
            self.found = true;
            *lifetime = Self::lifetime(lifetime.span());
        }
    }

    fn visit_type_bare_fn_mut(&mut self, _: &mut TypeBareFn) {
        // The lifetimes of its parameters are its own.
    }
}
