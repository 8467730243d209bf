//! The heads of `impl` blocks: generics, bounds and `where` clauses, put together in one place.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{
    GenericParam, Generics, Ident, Lifetime, LifetimeParam, PathSegment, Token, Type, TypeParam,
    TypeReference, WherePredicate,
};

use crate::ast;
use crate::check::{MARKERS, PORTS};
use crate::model::{Kind, Model, Pod};
use crate::names;

/// The head of an `impl` block, up to its brace.
pub struct Head {
    /// `<'a, T: Bound>`
    pub parameters: TokenStream,
    /// `Put<'a, T>`
    pub own: TokenStream,
    /// `where …`, or nothing.
    pub bounds: TokenStream,
}

/// What the type parameters must be able to do.
#[derive(Clone, Copy)]
pub enum Needs<'a> {
    /// What is said at the type's definition, and nothing more.
    Nothing,
    Encode,
    /// To be read out of a message that lives for this long.
    Decode(&'a Lifetime),
    /// To be a part of whole messages, read out of a message that lives for this long where one is given.
    Message(Option<&'a Lifetime>),
}

impl Head {
    /// The head of an `impl` for the type itself.
    pub fn of(model: &Model, needs: Needs) -> Self {
        let mut generics = model.generics.clone();
        let (_, arguments, _) = model.generics.split_for_impl();
        let ident = model.ident;
        let own = quote!(#ident #arguments);
        let runtime = quote!(__rt);
        let mut new = bounds(model, needs, &runtime);
        if let Kind::Pod(_) = model.kind
            && !matches!(needs, Needs::Nothing)
            && model.generics.type_params().next().is_some()
        {
            // What zerocopy asks of the arguments shows only where they are known.
            new.push(syn::parse_quote!(#own: #runtime::Zerocopy));
        }
        if !new.is_empty() {
            generics.make_where_clause().predicates.extend(new);
        }
        if let Needs::Decode(lifetime) | Needs::Message(Some(lifetime)) = needs {
            let mut input = LifetimeParam::new(lifetime.clone());
            input.bounds = model.generics.lifetimes().map(|known| known.lifetime.clone()).collect();
            if !input.bounds.is_empty() {
                input.colon_token = Some(<Token![:]>::default());
            }
            generics.params.insert(0, GenericParam::Lifetime(input));
        }
        Self::new(&generics, own)
    }

    /// The head of an `impl` for the type's client, called `client`: the type's lifetimes are not its own.
    pub fn of_client(model: &Model, client: &Ident) -> Self {
        let generics = client_generics(model, &quote!(__rt));
        let (_, arguments, _) = generics.split_for_impl();
        let own = quote!(#client #arguments);
        Self::new(&generics, own)
    }

    fn new(generics: &Generics, own: TokenStream) -> Self {
        let (parameters, _, bounds) = generics.split_for_impl();
        Self { parameters: parameters.to_token_stream(), own, bounds: bounds.to_token_stream() }
    }
}

/// The generics of an endpoint's client: the endpoint's without its lifetimes. `runtime` is where the traits are.
pub fn client_generics(model: &Model, runtime: &TokenStream) -> Generics {
    let mut generics = model.generics.clone();
    generics.params = generics
        .params
        .into_iter()
        .filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
        .collect();
    let new = bounds(model, Needs::Message(None), runtime);
    if let Some(clause) = &mut generics.where_clause {
        clause.predicates = core::mem::take(&mut clause.predicates)
            .into_iter()
            .filter(|predicate| !matches!(predicate, WherePredicate::Lifetime(_)))
            .collect();
    }
    if !new.is_empty() {
        generics.make_where_clause().predicates.extend(new);
    }
    generics
}

/// The type as it is received: with this lifetime, and with what its parameters are then.
pub fn view(model: &Model, lifetime: &Lifetime) -> TokenStream {
    arguments(model, lifetime, |parameter| {
        if may_borrow(model, parameter) { quote!(#parameter::View<#lifetime>) } else { quote!(#parameter) }
    })
}

/// The type with each of its lifetimes replaced.
pub fn with_lifetime(model: &Model, lifetime: &Lifetime) -> TokenStream {
    arguments(model, lifetime, |parameter| quote!(#parameter))
}

fn arguments(
    model: &Model,
    lifetime: &Lifetime,
    type_argument: impl Fn(&Ident) -> TokenStream,
) -> TokenStream {
    let arguments = model.generics.params.iter().map(|parameter| match parameter {
        GenericParam::Lifetime(_) => quote!(#lifetime),
        GenericParam::Type(parameter) => type_argument(&parameter.ident),
        GenericParam::Const(parameter) => parameter.ident.to_token_stream(),
    });
    let arguments: Punctuated<TokenStream, Token![,]> = arguments.collect();
    let ident = model.ident;
    if arguments.is_empty() { quote!(#ident) } else { quote!(#ident<#arguments>) }
}

/// Whether one of the type's parameters occurs in `ty`.
pub fn is_generic(model: &Model, ty: &Type) -> bool {
    model.generics.type_params().any(|parameter| occurs(&parameter.ident, ty, &[]))
}

/// The type of a parameter: `ty` with the lifetimes of the type itself left out.
pub fn without_lifetimes(model: &Model, ty: &Type) -> Type {
    struct LeaveOut<'a>(&'a Generics);
    impl LeaveOut<'_> {
        fn is_own(&self, lifetime: &Lifetime) -> bool {
            self.0.lifetimes().any(|own| own.lifetime == *lifetime)
        }
    }
    impl VisitMut for LeaveOut<'_> {
        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            if reference.lifetime.as_ref().is_some_and(|lifetime| self.is_own(lifetime)) {
                reference.lifetime = None;
            }
            syn::visit_mut::visit_type_reference_mut(self, reference);
        }
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if self.is_own(lifetime) {
                *lifetime = Lifetime::new("'_", lifetime.span());
            }
        }
    }
    let mut ty = ty.clone();
    LeaveOut(model.generics).visit_type_mut(&mut ty);
    ty
}

/// What is asked of the type parameters, beside what the user asks.
fn bounds(model: &Model, needs: Needs, runtime: &TokenStream) -> Vec<WherePredicate> {
    let parameters = model.generics.type_params().map(|parameter| &parameter.ident);
    parameters
        .filter_map(|parameter| {
            let bound = bound(model, needs, runtime, parameter)?;
            Some(syn::parse_quote!(#parameter: #bound))
        })
        .collect()
}

fn bound(model: &Model, needs: Needs, runtime: &TokenStream, parameter: &Ident) -> Option<TokenStream> {
    if let Needs::Nothing = needs {
        return None;
    }
    if let Kind::Pod(_) = model.kind {
        return Some(quote!(#runtime::Pod));
    }
    let mut bounds = Vec::new();
    let carried = is_carried(model, parameter);
    if field_types(model).iter().any(|ty| is_carried_by_port(parameter, ty)) {
        bounds.push(quote!(#runtime::MachMessage));
    }
    match needs {
        Needs::Encode if carried => bounds.push(quote!(#runtime::Encode)),
        Needs::Decode(lifetime) if carried => bounds.push(quote!(#runtime::Decode<#lifetime>)),
        Needs::Message(_) if carried && may_borrow(model, parameter) => {
            bounds.push(quote!(#runtime::MachMessage))
        }
        Needs::Message(_) => {
            if carried {
                bounds.push(quote!(for<'__any> #runtime::Decode<'__any>));
            }
            if sent_back(model).iter().any(|ty| occurs(parameter, ty, MARKERS)) {
                bounds.push(quote!(#runtime::Send));
            }
            bounds.push(quote!('static));
        }
        _ => {}
    }
    (!bounds.is_empty()).then(|| quote!(#(#bounds)+*))
}

/// Whether values of the parameter's type are in the message.
fn is_carried(model: &Model, parameter: &Ident) -> bool {
    field_types(model).iter().any(|ty| occurs(parameter, ty, MARKERS))
}

/// Whether the parameter may stand for a type that borrows from the message: then the received type is one with another argument.
/// That is so for parameters without bounds, since bounds may not hold for the other argument; and never in endpoints, so that the
/// client's methods take the argument itself.
fn may_borrow(model: &Model, parameter: &Ident) -> bool {
    let is_bounded = |known: &TypeParam| known.ident == *parameter && !known.bounds.is_empty();
    let clause = model.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let mut predicates = clause.filter_map(|predicate| match predicate {
        WherePredicate::Type(predicate) => Some(predicate.to_token_stream()),
        _ => None,
    });
    is_carried(model, parameter)
        && !matches!(model.kind, Kind::Endpoint(_) | Kind::Pod(_))
        && !model.generics.type_params().any(is_bounded)
        && !predicates.any(|predicate| mentions(parameter, predicate))
}

fn mentions(parameter: &Ident, tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *parameter,
        TokenTree::Group(group) => mentions(parameter, group.stream()),
        _ => false,
    })
}

fn field_types<'a>(model: &Model<'a>) -> Vec<&'a Type> {
    match &model.kind {
        Kind::Pod(Pod::Struct(group)) => group.fields.iter().map(|field| field.ty).collect(),
        Kind::Pod(Pod::Enum(variants)) => {
            variants.iter().flat_map(|variant| &variant.group.fields).map(|field| field.ty).collect()
        }
        Kind::Struct(group) => group.fields.iter().map(|field| field.ty).collect(),
        Kind::Enum(variants) => {
            variants.iter().flat_map(|variant| &variant.group.fields).map(|field| field.ty).collect()
        }
        Kind::Endpoint(endpoint) => {
            endpoint.variants.iter().flat_map(|variant| &variant.group.fields).map(|field| field.ty).collect()
        }
    }
}

/// The types of what may be sent from any thread later: answers and streams.
fn sent_back<'a>(model: &Model<'a>) -> Vec<&'a Type> {
    let types = field_types(model).into_iter();
    types.filter(|ty| ast::reply(ty).is_some() || ast::stream(ty).is_some()).collect()
}

/// Whether a parameter occurs in `ty`, but for the arguments of the types called `except`.
fn occurs(parameter: &Ident, ty: &Type, except: &[&str]) -> bool {
    struct Search<'a> {
        parameter: &'a Ident,
        except: &'a [&'a str],
        found: bool,
    }
    impl Visit<'_> for Search<'_> {
        fn visit_path(&mut self, path: &syn::Path) {
            self.found |= path.leading_colon.is_none()
                && path.segments.first().is_some_and(|first| first.ident == *self.parameter);
            syn::visit::visit_path(self, path);
        }
        fn visit_path_segment(&mut self, segment: &PathSegment) {
            if !self.except.iter().any(|name| segment.ident == name) {
                syn::visit::visit_path_segment(self, segment);
            }
        }
    }
    let mut search = Search { parameter, except, found: false };
    search.visit_type(ty);
    search.found
}

/// Whether a port that carries the parameter is in `ty`: `SendRight<T>`.
fn is_carried_by_port(parameter: &Ident, ty: &Type) -> bool {
    struct Search<'a>(&'a Ident, bool);
    impl Visit<'_> for Search<'_> {
        fn visit_path_segment(&mut self, segment: &PathSegment) {
            if PORTS.iter().any(|name| segment.ident == name) {
                self.1 |= mentions(self.0, segment.arguments.to_token_stream());
            } else {
                syn::visit::visit_path_segment(self, segment);
            }
        }
    }
    let mut search = Search(parameter, false);
    search.visit_type(ty);
    search.1
}

/// The lifetime of the message that a value is read from.
pub fn input_lifetime(model: &Model) -> Lifetime {
    names::fresh_lifetime("de", model.generics)
}
