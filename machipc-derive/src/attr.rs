//! First phase: the words of `#[mach(…)]`, each with the place where it stood.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Lit, LitStr, Meta, Path, Token};

use crate::report::Report;

/// Every word, where it may stand and what it takes. Nothing else in this crate spells them.
const WORDS: &[Word] = &[
    Word { name: POD, places: &[Place::Message], takes: Takes::Nothing, example: "pod" },
    Word {
        name: CRATE,
        places: &[Place::Message, Place::Endpoint, Place::Service, Place::HandedOver, Place::Pod],
        takes: Takes::Path,
        example: "crate = \"path\"",
    },
    Word {
        name: ENDPOINT,
        places: &[Place::HandedOver],
        takes: Takes::Text,
        example: "endpoint = \"com.example.kv\"",
    },
    Word {
        name: CLIENT,
        places: &[Place::Endpoint, Place::Service, Place::HandedOver],
        takes: Takes::Name,
        example: "client = Name",
    },
    Word {
        name: FLAT_ERRORS,
        places: &[Place::Endpoint, Place::Service, Place::HandedOver],
        takes: Takes::Nothing,
        example: "flat_errors",
    },
    Word { name: MESSAGE, places: &[Place::Service], takes: Takes::Name, example: "message = Name" },
    Word { name: SERVER, places: &[Place::Service], takes: Takes::Name, example: "server = Name" },
    Word { name: SERVICE, places: &[Place::HandedOver], takes: Takes::Name, example: "service = Name" },
    Word { name: OOL, places: &[Place::Field, Place::Parameter], takes: Takes::Nothing, example: "ool" },
    Word {
        name: SINCE,
        places: &[Place::Field, Place::Variant, Place::EndpointVariant, Place::Method, Place::Parameter],
        takes: Takes::Version,
        example: "since = 2",
    },
    Word {
        name: DEFAULT,
        places: &[Place::Field, Place::Parameter],
        takes: Takes::PathOrNothing,
        example: "default = \"path\"",
    },
    Word {
        name: ID,
        places: &[Place::Variant, Place::EndpointVariant, Place::Method],
        takes: Takes::Id,
        example: "id = 7",
    },
    Word { name: VARIANT, places: &[Place::Method], takes: Takes::Name, example: "variant = Name" },
    Word { name: METHOD, places: &[Place::EndpointVariant], takes: Takes::Name, example: "method = name" },
];

const POD: &str = "pod";
const CRATE: &str = "crate";
const ENDPOINT: &str = "endpoint";
const CLIENT: &str = "client";
const OOL: &str = "ool";
const SINCE: &str = "since";
const DEFAULT: &str = "default";
const ID: &str = "id";
const METHOD: &str = "method";
const FLAT_ERRORS: &str = "flat_errors";
const MESSAGE: &str = "message";
const SERVER: &str = "server";
const SERVICE: &str = "service";
const VARIANT: &str = "variant";

/// The words on a type.
#[derive(Default)]
pub struct TypeWords {
    pub pod: Option<Given<()>>,
    pub krate: Option<Given<Path>>,
    /// The name of the endpoint that the type is.
    pub endpoint: Option<Given<String>>,
    pub client: Option<Given<Ident>>,
    /// The client's methods return one error for all that can go wrong.
    pub flat_errors: Option<Given<()>>,
    /// What the enum beneath a trait is called.
    pub message: Option<Given<Ident>>,
    /// What serves a trait's implementations.
    pub server: Option<Given<Ident>>,
    /// The trait that the enum was made from.
    pub service: Option<Given<Ident>>,
}

/// The words on a variant, or on the method that becomes one.
#[derive(Default)]
pub struct VariantWords {
    pub id: Option<Given<i32>>,
    pub since: Option<Given<u32>>,
    /// What a variant's method is called.
    pub method: Option<Given<Ident>>,
    /// What a method's variant is called.
    pub variant: Option<Given<Ident>>,
}

/// The words on a field.
#[derive(Default)]
pub struct FieldWords {
    pub ool: Option<Given<()>>,
    pub since: Option<Given<u32>>,
    /// `default` alone is `None` inside.
    pub default: Option<Given<Option<Path>>>,
}

/// A word's value, and the tokens to underline when something is wrong with it.
pub struct Given<T> {
    pub value: T,
    pub tokens: Meta,
}

/// What carries a `#[mach(…)]`.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    /// A type that derives `MachMessage`.
    Message,
    /// `#[machipc::endpoint("…", words)]`
    Endpoint,
    /// `#[machipc::pod(words)]`
    Pod,
    /// The `#[mach(…)]` with which the attribute macros hand their words to a derive.
    HandedOver,
    /// A variant of an enum that derives `MachMessage`.
    Variant,
    /// A variant of an endpoint.
    EndpointVariant,
    /// A field of any of them.
    Field,
    /// `#[machipc::endpoint("…", words)]` on a trait.
    Service,
    /// A method of such a trait.
    Method,
    /// A parameter of such a method.
    Parameter,
}

struct Word {
    name: &'static str,
    places: &'static [Place],
    takes: Takes,
    example: &'static str,
}

#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    Path,
    PathOrNothing,
    Name,
    Text,
    Version,
    Id,
}

enum Value {
    Nothing,
    Path(Path),
    Name(Ident),
    Text(String),
    Number(u32),
}

impl TypeWords {
    /// Reads the words on a type.
    pub fn read(attributes: &[Attribute], place: Place, report: &Report) -> Self {
        Self::of(read(attributes, place, report))
    }

    /// Reads the words of an attribute macro.
    pub fn read_arguments(arguments: impl IntoIterator<Item = Meta>, place: Place, report: &Report) -> Self {
        Self::of(read_words(arguments.into_iter().collect(), place, report))
    }

    fn of(found: Vec<(&'static Word, Value, Meta)>) -> Self {
        let mut words = Self::default();
        for (word, value, tokens) in found {
            match (word.name, value) {
                (POD, _) => words.pod = Some(Given { value: (), tokens }),
                (CRATE, Value::Path(value)) => words.krate = Some(Given { value, tokens }),
                (ENDPOINT, Value::Text(value)) => words.endpoint = Some(Given { value, tokens }),
                (CLIENT, Value::Name(value)) => words.client = Some(Given { value, tokens }),
                (FLAT_ERRORS, _) => words.flat_errors = Some(Given { value: (), tokens }),
                (MESSAGE, Value::Name(value)) => words.message = Some(Given { value, tokens }),
                (SERVER, Value::Name(value)) => words.server = Some(Given { value, tokens }),
                (SERVICE, Value::Name(value)) => words.service = Some(Given { value, tokens }),
                _ => unreachable!("the table lets no other word through"),
            }
        }
        words
    }
}

impl VariantWords {
    /// Reads the words on a variant.
    pub fn read(attributes: &[Attribute], place: Place, report: &Report) -> Self {
        let mut words = Self::default();
        for (word, value, tokens) in read(attributes, place, report) {
            match (word.name, value) {
                (ID, Value::Number(value)) => words.id = Some(Given { value: value as i32, tokens }),
                (SINCE, Value::Number(value)) => words.since = Some(Given { value, tokens }),
                (METHOD, Value::Name(value)) => words.method = Some(Given { value, tokens }),
                (VARIANT, Value::Name(value)) => words.variant = Some(Given { value, tokens }),
                _ => unreachable!("the table lets no other word through"),
            }
        }
        words
    }
}

impl FieldWords {
    /// Reads the words on a field, or on the parameter that becomes one.
    pub fn read(attributes: &[Attribute], place: Place, report: &Report) -> Self {
        let mut words = Self::default();
        for (word, value, tokens) in read(attributes, place, report) {
            match (word.name, value) {
                (OOL, _) => words.ool = Some(Given { value: (), tokens }),
                (SINCE, Value::Number(value)) => words.since = Some(Given { value, tokens }),
                (DEFAULT, Value::Path(path)) => words.default = Some(Given { value: Some(path), tokens }),
                (DEFAULT, _) => words.default = Some(Given { value: None, tokens }),
                _ => unreachable!("the table lets no other word through"),
            }
        }
        words
    }
}

/// A path that is written as one, or as a string.
pub fn path(value: &Expr) -> Option<Path> {
    match value {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Some(path.path.clone()),
        _ => string(value)?.parse_with(Path::parse_mod_style).ok(),
    }
}

/// A string literal.
pub fn string(value: &Expr) -> Option<&LitStr> {
    match value {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        // A literal that came through a `macro_rules!` variable is wrapped in an invisible group.
        Expr::Group(group) => string(&group.expr),
        _ => None,
    }
}

/// The words of all `#[mach(…)]` attributes that are known, that may stand here, that are given once and have a value of the right kind;
/// whatever else there is goes into the report.
fn read(attributes: &[Attribute], place: Place, report: &Report) -> Vec<(&'static Word, Value, Meta)> {
    let mut metas = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("mach")) {
        match attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
            Ok(parsed) => metas.extend(parsed),
            Err(error) => report.add(error),
        }
    }
    read_words(metas, place, report)
}

fn read_words(metas: Vec<Meta>, place: Place, report: &Report) -> Vec<(&'static Word, Value, Meta)> {
    let mut found: Vec<(&'static Word, Value, Meta)> = Vec::new();
    for tokens in metas {
        let Some(word) = known(&tokens, place, report) else { continue };
        if found.iter().any(|(other, ..)| other.name == word.name) {
            report.at(&tokens, format_args!("`{}` is given twice: remove one", word.name));
            continue;
        }
        match value(word, &tokens) {
            Some(value) => found.push((word, value, tokens)),
            None => report.at(&tokens, word.wrong_value(place)),
        }
    }
    found
}

fn known(tokens: &Meta, place: Place, report: &Report) -> Option<&'static Word> {
    let word = WORDS.iter().find(|word| tokens.path().is_ident(word.name));
    match word {
        Some(word) if word.places.contains(&place) => return Some(word),
        Some(word) if word.places != [Place::HandedOver] => {
            report.at(
                tokens,
                format_args!("`{}` goes on {}, not on {}", word.name, word.homes(place), place.name()),
            );
        }
        _ => {
            let choice: Vec<String> = WORDS
                .iter()
                .filter(|word| word.places.contains(&place))
                .map(|word| format!("`{}`", word.example))
                .collect();
            let name =
                tokens.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            let message = match choice.as_slice() {
                [] => format!("unknown word `{name}`: {} takes none", place.name()),
                _ => format!("unknown word `{name}`: {} takes {}", place.name(), choice.join(", ")),
            };
            report.at(tokens.path(), message);
        }
    }
    None
}

fn value(word: &Word, tokens: &Meta) -> Option<Value> {
    let value = match tokens {
        Meta::Path(_) => None,
        Meta::NameValue(pair) => Some(&pair.value),
        Meta::List(_) => return None,
    };
    match (word.takes, value) {
        (Takes::Nothing | Takes::PathOrNothing, None) => Some(Value::Nothing),
        (Takes::Path | Takes::PathOrNothing, Some(value)) => path(value).map(Value::Path),
        (Takes::Name, Some(value)) => path(value)?.get_ident().cloned().map(Value::Name),
        (Takes::Text, Some(value)) => string(value).map(|text| Value::Text(text.value())),
        (Takes::Version, Some(value)) => number(value).filter(|&number| number >= 1).map(Value::Number),
        (Takes::Id, Some(value)) => {
            number(value).filter(|&number| number <= i32::MAX as u32).map(Value::Number)
        }
        _ => None,
    }
}

fn number(value: &Expr) -> Option<u32> {
    match value {
        Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        Expr::Group(group) => number(&group.expr),
        _ => None,
    }
}

impl Word {
    /// Where the word may stand, in words, for somebody who wrote it at `place`: in a trait, if it may stand in one.
    fn homes(&self, place: Place) -> String {
        let is_on_all_variants = self.places.contains(&Place::Variant);
        let has_such_a_home = self.places.iter().any(|home| home.is_in_trait() == place.is_in_trait());
        let homes: Vec<&str> = self
            .places
            .iter()
            .filter(|home| **home != Place::HandedOver)
            .filter(|home| !has_such_a_home || home.is_in_trait() == place.is_in_trait())
            .filter(|home| !(is_on_all_variants && **home == Place::EndpointVariant))
            .map(|place| place.name())
            .collect();
        homes.join(" or ")
    }

    fn wrong_value(&self, place: Place) -> String {
        let what = match self.takes {
            Takes::Nothing => "takes no value",
            Takes::Path => "takes a path",
            Takes::PathOrNothing => "takes the path of a function, or nothing",
            Takes::Name => "takes a name",
            Takes::Text => "takes a string",
            Takes::Version => "takes a version, which is a whole number from 1 up",
            Takes::Id => "takes a whole number from 0 to 0x7fff_ffff",
        };
        let (name, example) = (self.name, self.example);
        match place {
            Place::Endpoint | Place::Service | Place::Pod => format!("`{name}` {what}: write `{example}`"),
            _ => format!("`{name}` {what}: write `#[mach({example})]`"),
        }
    }
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Message => "a type",
            Self::Endpoint | Self::HandedOver => "an endpoint",
            Self::Pod => "`#[machipc::pod]`",
            Self::Variant => "a variant",
            Self::EndpointVariant => "an endpoint's variant",
            Self::Field => "a field",
            Self::Service => "an endpoint's trait",
            Self::Method => "a method",
            Self::Parameter => "a parameter",
        }
    }

    fn is_in_trait(self) -> bool {
        matches!(self, Self::Service | Self::Method | Self::Parameter)
    }
}
