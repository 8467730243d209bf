//! The legal type: what is left once `check` has found nothing. It cannot express a mistake, so `expand` has no error paths.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Generics, Ident, Member, Path, Type, Visibility};

use crate::ast::{Ast, Body, End, Field, Flavor, Shape, Variant};
use crate::names;

/// A type that is a message.
pub struct Model<'a> {
    pub ident: &'a Ident,
    pub generics: &'a Generics,
    /// Where the runtime crate is.
    pub krate: Path,
    pub kind: Kind<'a>,
}

/// Which kind of message it is.
pub enum Kind<'a> {
    Pod(Pod<'a>),
    Struct(Group<'a>),
    Enum(Vec<Alternative<'a>>),
    Endpoint(Endpoint<'a>),
}

/// Plain data.
pub enum Pod<'a> {
    Struct(Group<'a>),
    Enum(Vec<PodVariant<'a>>),
}

/// A variant of an enum that is plain data.
pub struct PodVariant<'a> {
    pub ident: &'a Ident,
    pub discriminant: Option<&'a Expr>,
    pub group: Group<'a>,
}

/// An enum whose variants are messages.
pub struct Endpoint<'a> {
    pub name: String,
    /// The trait that the enum was made from.
    pub service: Option<&'a Ident>,
    pub visibility: &'a Visibility,
    pub client: Ident,
    pub async_client: Ident,
    /// The client's methods return one error for what a host answers with and for what keeps it from answering.
    pub flat_errors: bool,
    pub variants: Vec<Alternative<'a>>,
}

/// A variant.
pub struct Alternative<'a> {
    pub ident: &'a Ident,
    pub attributes: &'a [Attribute],
    /// The tag inside another message, or the `msgh_id`.
    pub id: i32,
    /// The user chose the id, which then stands for the variant in the schema instead of its name.
    pub pinned: bool,
    /// The variant came later and is not a part of the fingerprint.
    pub later: bool,
    /// The client's method.
    pub method: Ident,
    pub group: Group<'a>,
}

/// The fields of a struct or of a variant.
pub struct Group<'a> {
    pub shape: Shape,
    /// As declared.
    pub fields: Vec<Part<'a>>,
}

/// A field.
pub struct Part<'a> {
    pub member: &'a Member,
    pub ty: &'a Type,
    pub role: Role<'a>,
}

/// How a field travels.
pub enum Role<'a> {
    Inline,
    OutOfLine,
    /// Added later: an older peer does not send it.
    Since {
        out_of_line: bool,
        default: TokenStream,
    },
    /// A `Reply` with an answer of this type.
    Reply(&'a Type),
    /// An end of a stream, whose other end the client's method returns.
    Stream(End<'a>),
}

impl<'a> Model<'a> {
    /// The model of a type in which `check` found no mistake.
    pub fn of(ast: &'a Ast<'a>) -> Self {
        let krate = runtime(ast);
        let kind = match (&ast.body, ast.words.pod.is_some()) {
            (Body::Struct(shape, fields), true) => Kind::Pod(Pod::Struct(group(*shape, fields))),
            (Body::Enum(variants), true) => Kind::Pod(Pod::Enum(variants.iter().map(pod_variant).collect())),
            (Body::Struct(shape, fields), false) => Kind::Struct(group(*shape, fields)),
            (Body::Enum(variants), false) => match ast.flavor {
                Flavor::Message => {
                    let variants = variants.iter().enumerate();
                    Kind::Enum(
                        variants.map(|(index, variant)| alternative(ast.flavor, index, variant)).collect(),
                    )
                }
                Flavor::Endpoint => Kind::Endpoint(endpoint(ast, variants)),
            },
            (Body::Union(_), _) => unreachable!("`check` lets no union through"),
        };
        Self { ident: ast.ident, generics: ast.generics, krate, kind }
    }
}

impl Group<'_> {
    /// The fields that every peer sends, in the order in which they are sent: the reply first, so that whatever else is last is at the
    /// payload's end.
    pub fn base(&self) -> impl Iterator<Item = &Part<'_>> {
        let replies = self.fields.iter().filter(|field| matches!(field.role, Role::Reply(_)));
        let is_other = |field: &&Part| matches!(field.role, Role::Inline | Role::OutOfLine | Role::Stream(_));
        let others = self.fields.iter().filter(is_other);
        replies.chain(others)
    }

    /// The fields that came later.
    pub fn extension(&self) -> impl Iterator<Item = &Part<'_>> {
        self.fields.iter().filter(|field| matches!(field.role, Role::Since { .. }))
    }

    /// Whether there are fields that came later.
    pub fn is_extended(&self) -> bool {
        self.extension().next().is_some()
    }
}

impl Part<'_> {
    /// The field's name, or its number.
    pub fn name(&self) -> String {
        match self.member {
            Member::Named(ident) => names::plain(ident),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }
}

/// The endpoint with these variants.
pub fn endpoint<'a>(ast: &'a Ast<'a>, variants: impl IntoIterator<Item = &'a Variant<'a>>) -> Endpoint<'a> {
    let variants = variants.into_iter().enumerate();
    let client = client(ast);
    Endpoint {
        name: ast.words.endpoint.as_ref().map(|word| word.value.clone()).unwrap_or_default(),
        service: ast.words.service.as_ref().map(|word| &word.value),
        visibility: ast.visibility,
        async_client: async_client(&client),
        client,
        flat_errors: ast.words.flat_errors.is_some(),
        variants: variants.map(|(index, variant)| alternative(ast.flavor, index, variant)).collect(),
    }
}

/// The number that tells a variant from the others.
pub fn variant_id(flavor: Flavor, index: usize, variant: &Variant) -> i32 {
    match (&variant.words.id, flavor) {
        (Some(id), _) => id.value,
        (None, Flavor::Message) => i32::try_from(index).unwrap_or(i32::MAX),
        (None, Flavor::Endpoint) => names::message_id(&names::plain(variant.ident)),
    }
}

/// The client's method for a variant.
pub fn method(variant: &Variant) -> Ident {
    match &variant.words.method {
        Some(method) => method.value.clone(),
        None => names::method(variant.ident),
    }
}

impl Endpoint<'_> {
    /// What peers know the type as: an enum made from a trait is the same on the wire as an enum with the trait's name.
    pub fn schema_name(&self, own: &Ident) -> String {
        names::plain(self.service.unwrap_or(own))
    }
}

/// The name of an endpoint's client.
fn client(ast: &Ast) -> Ident {
    match &ast.words.client {
        Some(client) => client.value.clone(),
        None => Ident::new(&format!("{}Client", names::plain(ast.ident)), ast.ident.span()),
    }
}

/// The name of an endpoint's client that does not block: `KvAsyncClient` beside `KvClient`, `StoreAsync` beside `Store`.
fn async_client(client: &Ident) -> Ident {
    let name = names::plain(client);
    let name = match name.strip_suffix("Client") {
        Some(endpoint) => format!("{endpoint}AsyncClient"),
        None => format!("{name}Async"),
    };
    Ident::new(&name, client.span())
}

/// The path of the runtime crate.
pub fn runtime(ast: &Ast) -> Path {
    match &ast.words.krate {
        Some(krate) => krate.value.clone(),
        None => syn::parse_quote!(::machipc),
    }
}

fn alternative<'a>(flavor: Flavor, index: usize, variant: &'a Variant<'a>) -> Alternative<'a> {
    Alternative {
        ident: variant.ident,
        attributes: variant.attributes,
        id: variant_id(flavor, index, variant),
        pinned: variant.words.id.is_some(),
        later: variant.words.since.is_some(),
        method: method(variant),
        group: group(variant.shape, &variant.fields),
    }
}

fn pod_variant<'a>(variant: &'a Variant<'a>) -> PodVariant<'a> {
    let group = group(variant.shape, &variant.fields);
    PodVariant { ident: variant.ident, discriminant: variant.discriminant, group }
}

fn group<'a>(shape: Shape, fields: &'a [Field<'a>]) -> Group<'a> {
    Group { shape, fields: fields.iter().map(part).collect() }
}

fn part<'a>(field: &'a Field<'a>) -> Part<'a> {
    let out_of_line = field.words.ool.is_some();
    let role = match (field.reply, &field.words.since, field.stream) {
        (Some(answer), ..) => Role::Reply(answer),
        (None, Some(_), _) => Role::Since { out_of_line, default: default(field) },
        (None, None, _) if out_of_line => Role::OutOfLine,
        (None, None, Some(end)) => Role::Stream(end),
        (None, None, None) => Role::Inline,
    };
    Part { member: &field.member, ty: field.ty, role }
}

/// The value of a field that was not sent.
fn default(field: &Field) -> TokenStream {
    let given = field.words.default.as_ref().and_then(|default| default.value.as_ref());
    match given {
        Some(path) => quote_spanned!(path.span()=> #path()),
        None => {
            let ty = field.ty;
            quote_spanned!(ty.span()=> <#ty as ::core::default::Default>::default())
        }
    }
}
