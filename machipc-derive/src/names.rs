//! Names and numbers that are made from the user's names.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Generics, Ident, Lifetime};

/// Where the ids that come from names begin: below are notifications, plain messages and replies.
const NAMED_IDS: u32 = 0x4000_0000;

/// The runtime's module for macros. It is named after the version, so that nobody else comes to depend on it.
pub fn private_module() -> Ident {
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    Ident::new(&format!("__private_{major}_{minor}"), Span::call_site())
}

/// The id that an endpoint's variant has by its name: 32-bit FNV-1a, with the two top bits replaced by `01`.
pub fn message_id(variant: &str) -> i32 {
    let hash = variant
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash & (NAMED_IDS - 1) | NAMED_IDS) as i32
}

/// A name without its `r#`.
pub fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The client's method for a variant: `GetAll` becomes `get_all`, `HTTPGet` becomes `http_get`, `Move` becomes `r#move`.
pub fn method(variant: &Ident) -> Ident {
    identifier(&snake_case(&plain(variant)), variant.span())
}

/// The variant for a trait's method: `get_all` becomes `GetAll`, `r#move` becomes `Move`. `None` where no identifier comes of it.
pub fn variant(method: &Ident) -> Option<Ident> {
    let mut name = String::new();
    for word in plain(method).split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    let mut variant = match name.as_str() {
        // Not even raw it could be a variant.
        "Self" => return None,
        name => syn::parse_str::<Ident>(name).ok()?,
    };
    variant.set_span(method.span());
    Some(variant)
}

/// `name` as an identifier: raw where it is a keyword, with an underscore where it cannot even be raw.
pub fn identifier(name: &str, span: Span) -> Ident {
    match name {
        "self" | "super" | "crate" | "Self" | "_" => Ident::new(&format!("{name}_"), span),
        // A keyword since the 2024 edition only, so `syn` takes it for a name.
        "gen" => Ident::new_raw(name, span),
        _ if syn::parse_str::<Ident>(name).is_err() => Ident::new_raw(name, span),
        _ => Ident::new(name, span),
    }
}

fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, &letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| letters[index]);
        let after = letters.get(index + 1);
        let starts_word = match before {
            Some(before) if letter.is_uppercase() => {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            }
            _ => false,
        };
        if starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A lifetime called `name`, or, where the type has one of that name, `name` with underscores after it.
pub fn fresh_lifetime(name: &str, generics: &Generics) -> Lifetime {
    let mut name = name.to_owned();
    while generics.lifetimes().any(|known| known.lifetime.ident == name) {
        name.push('_');
    }
    Lifetime::new(&format!("'{name}"), Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(name: &str) -> Ident {
        identifier(name, Span::call_site())
    }

    #[test]
    fn ids_lie_above_every_reserved_one_and_never_change() {
        assert_eq!(message_id("Put"), 0x4e79_2d8e);
        for name in ["Put", "Get", "Clear", "", "Ω"] {
            assert!(message_id(name) >= 0x4000_0000, "{name}");
        }
    }

    #[test]
    fn methods_are_in_snake_case() {
        for (variant, expected) in [
            ("Put", "put"),
            ("GetAll", "get_all"),
            ("HTTPGet", "http_get"),
            ("GetURL", "get_url"),
            ("V2Put", "v2_put"),
            ("snake_already", "snake_already"),
            ("Ärger", "ärger"),
            ("X", "x"),
        ] {
            assert_eq!(method(&ident(variant)).to_string(), expected, "{variant}");
        }
    }

    #[test]
    fn variants_are_in_camel_case() {
        for (method, expected) in [
            ("put", "Put"),
            ("get_all", "GetAll"),
            ("v2_put", "V2Put"),
            ("get_2", "Get2"),
            ("move", "Move"),
            ("_hidden", "Hidden"),
            ("getAll", "GetAll"),
            ("ärger", "Ärger"),
            ("self_", "Self"),
        ] {
            let variant = variant(&ident(method)).map(|variant| variant.to_string());
            assert_eq!(variant.as_deref().unwrap_or("Self"), expected, "{method}");
        }
        assert!(variant(&ident("__")).is_none());
        assert!(variant(&ident("_1")).is_none());
    }

    #[test]
    fn methods_that_are_keywords_are_raw_or_underscored() {
        for (variant, expected) in [
            ("Move", "r#move"),
            ("Type", "r#type"),
            ("Gen", "r#gen"),
            ("Super", "super_"),
            ("Crate", "crate_"),
        ] {
            assert_eq!(method(&ident(variant)).to_string(), expected, "{variant}");
        }
    }

    #[test]
    fn a_fresh_lifetime_is_not_one_of_the_types() {
        let generics: Generics = syn::parse_quote!(<'de, 'de_, T>);
        assert_eq!(fresh_lifetime("de", &generics).to_string(), "'de__");
        assert_eq!(fresh_lifetime("m", &generics).to_string(), "'m");
    }
}
