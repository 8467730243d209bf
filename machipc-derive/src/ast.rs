//! Second phase: the user's type with its words read, nothing judged yet.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{
    AngleBracketedGenericArguments, Attribute, Data, DeriveInput, Expr, Fields, GenericArgument, Generics,
    Ident, Index, Member, PathArguments, Type, Visibility,
};

use crate::attr::{FieldWords, Place, TypeWords, VariantWords};
use crate::report::Report;

/// A type that is to be a message or an endpoint.
pub struct Ast<'a> {
    pub flavor: Flavor,
    pub attributes: &'a [Attribute],
    pub visibility: &'a Visibility,
    pub ident: &'a Ident,
    pub generics: &'a Generics,
    pub words: TypeWords,
    pub body: Body<'a>,
}

/// Which macro the type asks for.
#[derive(Clone, Copy, PartialEq)]
pub enum Flavor {
    /// `#[derive(MachMessage)]`
    Message,
    /// `#[machipc::endpoint("…")]`
    Endpoint,
}

/// What a type is made of.
pub enum Body<'a> {
    Struct(Shape, Vec<Field<'a>>),
    Enum(Vec<Variant<'a>>),
    /// The `union` keyword.
    Union(Span),
}

/// How fields are written.
#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    Named,
    Tuple,
    Unit,
}

/// A variant of an enum.
pub struct Variant<'a> {
    pub attributes: &'a [Attribute],
    pub ident: &'a Ident,
    pub discriminant: Option<&'a Expr>,
    pub shape: Shape,
    pub fields: Vec<Field<'a>>,
    pub words: VariantWords,
}

/// A field of a struct or of a variant.
pub struct Field<'a> {
    pub member: Member,
    pub ty: &'a Type,
    pub words: FieldWords,
    /// `T` where the field is a `Reply<T>`.
    pub reply: Option<&'a Type>,
    /// Which end of a stream the field is.
    pub stream: Option<End<'a>>,
}

/// An end of a stream.
#[derive(Clone, Copy)]
pub struct End<'a> {
    pub is_sink: bool,
    /// The types of its items and, if it has one of its own, of its error.
    pub arguments: &'a AngleBracketedGenericArguments,
}

impl<'a> Ast<'a> {
    /// Reads a type in which [`spell_out_self`] was done.
    pub fn read(flavor: Flavor, input: &'a DeriveInput, report: &Report) -> Self {
        let (type_place, variant_place) = match flavor {
            Flavor::Message => (Place::Message, Place::Variant),
            Flavor::Endpoint => (Place::HandedOver, Place::EndpointVariant),
        };
        let words = TypeWords::read(&input.attrs, type_place, report);
        let body = match &input.data {
            Data::Struct(data) => Body::Struct(shape(&data.fields), fields(&data.fields, report)),
            Data::Enum(data) => {
                let variants = data.variants.iter();
                Body::Enum(variants.map(|variant| Variant::read(variant, variant_place, report)).collect())
            }
            Data::Union(data) => Body::Union(data.union_token.span()),
        };
        Self {
            flavor,
            attributes: &input.attrs,
            visibility: &input.vis,
            ident: &input.ident,
            generics: &input.generics,
            words,
            body,
        }
    }

    /// Every field with the variant that it belongs to.
    pub fn fields(&self) -> impl Iterator<Item = &Field<'a>> {
        let (own, variants) = match &self.body {
            Body::Struct(_, fields) => (fields.as_slice(), [].as_slice()),
            Body::Enum(variants) => ([].as_slice(), variants.as_slice()),
            Body::Union(_) => ([].as_slice(), [].as_slice()),
        };
        own.iter().chain(variants.iter().flat_map(|variant| &variant.fields))
    }
}

impl<'a> Variant<'a> {
    fn read(variant: &'a syn::Variant, place: Place, report: &Report) -> Self {
        let words = VariantWords::read(&variant.attrs, place, report);
        Self {
            attributes: &variant.attrs,
            ident: &variant.ident,
            discriminant: variant.discriminant.as_ref().map(|(_, value)| value),
            shape: shape(&variant.fields),
            fields: fields(&variant.fields, report),
            words,
        }
    }
}

/// Writes the type's own name where the user wrote `Self`: generated code also names the fields' types where `Self` is another type.
pub fn spell_out_self(input: &mut DeriveInput) {
    struct SpellOut {
        ident: Ident,
        arguments: PathArguments,
    }

    impl VisitMut for SpellOut {
        fn visit_path_mut(&mut self, path: &mut syn::Path) {
            if let Some(first) = path.segments.first_mut()
                && first.ident == "Self"
            {
                let span = first.ident.span();
                first.ident = self.ident.clone();
                first.ident.set_span(span);
                first.arguments = self.arguments.clone();
            }
            syn::visit_mut::visit_path_mut(self, path);
        }
    }

    let (_, arguments, _) = input.generics.split_for_impl();
    let arguments = syn::parse_quote!(Own #arguments);
    let Type::Path(own) = arguments else { return };
    let Some(segment) = own.path.segments.into_iter().next() else { return };
    let mut spell_out = SpellOut { ident: input.ident.clone(), arguments: segment.arguments };
    match &mut input.data {
        Data::Struct(data) => spell_out.visit_fields_mut(&mut data.fields),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                spell_out.visit_fields_mut(&mut variant.fields);
            }
        }
        Data::Union(_) => {}
    }
    if let Some(clause) = &mut input.generics.where_clause {
        spell_out.visit_where_clause_mut(clause);
    }
}

/// `T`, where a type is written `Reply<T>`, under whatever path.
pub fn reply(ty: &Type) -> Option<&Type> {
    let arguments = arguments(ty, "Reply")?;
    match arguments.args.first() {
        Some(GenericArgument::Type(answer)) if arguments.args.len() == 1 => Some(answer),
        _ => None,
    }
}

/// The end of a stream, where a type is written `Sink<…>` or `Source<…>`, under whatever path.
pub fn stream(ty: &Type) -> Option<End<'_>> {
    let (is_sink, arguments) = match arguments(ty, "Sink") {
        Some(arguments) => (true, arguments),
        None => (false, arguments(ty, "Source")?),
    };
    Some(End { is_sink, arguments })
}

/// The arguments of a type of this name, under whatever path.
pub fn arguments<'t>(ty: &'t Type, name: &str) -> Option<&'t AngleBracketedGenericArguments> {
    let path = match ty {
        Type::Path(path) => path,
        Type::Group(group) => return arguments(&group.elem, name),
        Type::Paren(paren) => return arguments(&paren.elem, name),
        _ => return None,
    };
    match &path.path.segments.last().filter(|last| last.ident == name)?.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments),
        _ => None,
    }
}

fn shape(fields: &Fields) -> Shape {
    match fields {
        Fields::Named(_) => Shape::Named,
        Fields::Unnamed(_) => Shape::Tuple,
        Fields::Unit => Shape::Unit,
    }
}

fn fields<'a>(fields: &'a Fields, report: &Report) -> Vec<Field<'a>> {
    let member = |index: usize, field: &syn::Field| match &field.ident {
        Some(ident) => Member::Named(ident.clone()),
        None => Member::Unnamed(Index::from(index)),
    };
    fields
        .iter()
        .enumerate()
        .map(|(index, field)| Field {
            member: member(index, field),
            ty: &field.ty,
            words: FieldWords::read(&field.attrs, Place::Field, report),
            reply: reply(&field.ty),
            stream: stream(&field.ty),
        })
        .collect()
}
