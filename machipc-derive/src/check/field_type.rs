//! What a field's type may not be, as far as its spelling shows it.

use syn::visit::Visit;
use syn::{
    GenericArgument, Lifetime, PathArguments, PathSegment, Type, TypeBareFn, TypePtr, TypeReference,
    TypeTraitObject,
};

use crate::ast::{self, Field};
use crate::report::Report;

/// Types whose arguments say what a port carries or what a type is about: nothing of the arguments is in the message.
pub const MARKERS: &[&str] = &["SendRight", "SendOnceRight", "ReceiveRight", "PhantomData"];
/// Those of them that are ports.
pub const PORTS: &[&str] = &["SendRight", "SendOnceRight", "ReceiveRight"];

/// Puts what is wrong with the field's type into the report. In a trait, lifetimes are left out.
pub fn check(field: &Field, in_trait: bool, report: &Report) {
    unsized_type(field.ty, in_trait, report);
    let owner = field.reply.map(|_| Owner::Reply);
    let mut parts = Parts { report, in_trait, owner, in_unknown: false };
    parts.visit_type(field.reply.unwrap_or(field.ty));
}

/// A message is a value, and values have a size.
fn unsized_type(ty: &Type, in_trait: bool, report: &Report) {
    let borrow = if in_trait { "&" } else { "&'a " };
    match ty {
        Type::Slice(slice) => {
            let element = quote::quote!(#slice).to_string();
            report.at(
                ty,
                format_args!(
                    "`{element}` has no size of its own: borrow it as `{borrow}{element}`, or own it as a `Vec`"
                ),
            );
        }
        Type::Path(path) if path.path.is_ident("str") => {
            report.at(
                ty,
                format_args!(
                    "`str` has no size of its own: borrow it as `{borrow}str`, or own it as `String`"
                ),
            );
        }
        _ => return,
    }
    // Values that are read need a size.
    report.give_up();
}

/// Whether the type is spelt with a lifetime or a reference.
pub fn borrows(ty: &Type) -> bool {
    struct Search(bool);
    impl Visit<'_> for Search {
        fn visit_lifetime(&mut self, _: &Lifetime) {
            self.0 = true;
        }
        fn visit_type_reference(&mut self, _: &TypeReference) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}

/// Goes through all that a field's type is made of.
struct Parts<'a> {
    report: &'a Report,
    in_trait: bool,
    /// Inside what owns all that is in it.
    owner: Option<Owner>,
    /// Inside the arguments of a type that nobody here knows: they may be as little in the message as those of [`MARKERS`].
    in_unknown: bool,
}

/// Types whose arguments come later than the message around them, and so cannot borrow from it.
#[derive(Clone, Copy)]
enum Owner {
    /// `Reply<…>`
    Reply,
    /// `Sink<…>` or `Source<…>`
    Stream,
}

impl Owner {
    fn no_borrowing(self) -> &'static str {
        match self {
            Self::Reply => {
                "an answer is owned, for the request's message may be gone when it comes: use an owned type"
            }
            Self::Stream => "a stream's item is owned, for it comes after the message: use an owned type",
        }
    }
}

/// Types that hold what their arguments say.
const CONTAINERS: &[&str] = &[
    "Arc",
    "BTreeMap",
    "BTreeSet",
    "Box",
    "Cow",
    "HashMap",
    "HashSet",
    "Option",
    "Range",
    "RangeInclusive",
    "Rc",
    "Reply",
    "Result",
    "Sink",
    "Source",
    "Vec",
    "VecDeque",
    "Wrapping",
];

impl<'ast> Parts<'_> {
    fn visit_arguments(&mut self, segment: &'ast PathSegment) {
        if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
            for argument in &arguments.args {
                if let GenericArgument::Lifetime(lifetime) = argument {
                    self.borrow(lifetime);
                }
            }
        }
        let around = self.in_unknown;
        self.in_unknown |= !CONTAINERS.iter().any(|container| segment.ident == container);
        syn::visit::visit_path_arguments(self, &segment.arguments);
        self.in_unknown = around;
    }

    fn borrow(&self, lifetime: &Lifetime) {
        let is_static = lifetime.ident == "static";
        if is_static && self.in_unknown {
            return;
        }
        if let Some(owner) = self.owner {
            self.report.at(lifetime, owner.no_borrowing());
        } else if is_static {
            let instead = if self.in_trait {
                "leave the lifetime out, or use an owned type"
            } else {
                "use a lifetime parameter of the type, or an owned type"
            };
            self.report.at(
                lifetime,
                format_args!("what is borrowed from a message does not live for `'static`: {instead}"),
            );
        }
    }
}

impl<'ast> Visit<'ast> for Parts<'_> {
    fn visit_type(&mut self, ty: &'ast Type) {
        if ast::reply(ty).is_some() {
            let message = if let Some(Owner::Reply) = self.owner {
                "an answer is not answered in its turn: send a right to a port instead"
            } else {
                "a `Reply` is a field of its own: it cannot be a part of another type"
            };
            self.report.at(ty, message);
            return;
        }
        syn::visit::visit_type(self, ty);
    }

    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        if !MARKERS.iter().any(|marker| segment.ident == marker) {
            let around = self.owner;
            if segment.ident == "Sink" || segment.ident == "Source" {
                self.owner.get_or_insert(Owner::Stream);
            }
            self.visit_arguments(segment);
            self.owner = around;
        }
    }

    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        match &reference.lifetime {
            Some(lifetime) => self.borrow(lifetime),
            None => {
                if let Some(owner) = self.owner {
                    self.report.at(reference.and_token, owner.no_borrowing());
                }
            }
        }
        if let Some(keyword) = reference.mutability {
            let message = "a message is read, never written to: borrow with `&`, or own the value";
            self.report.at(keyword, message);
        }
        syn::visit::visit_type_reference(self, reference);
    }

    fn visit_type_ptr(&mut self, pointer: &'ast TypePtr) {
        if self.in_unknown {
            return;
        }
        let message = "a pointer means nothing in another process: send the value, or memory out of line";
        self.report.at(pointer, message);
    }

    fn visit_type_bare_fn(&mut self, function: &'ast TypeBareFn) {
        if self.in_unknown {
            return;
        }
        let message = "a function means nothing in another process: send a right to a port that it can be asked through";
        self.report.at(function, message);
    }

    fn visit_type_trait_object(&mut self, object: &'ast TypeTraitObject) {
        if self.in_unknown {
            return;
        }
        self.report.at(
            object,
            "a trait object does not say which type it is: use an enum of the types that it can be",
        );
    }
}
