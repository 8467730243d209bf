//! A schema's text taken apart.
//!
//! The text may be a peer's and hold anything. Each part is a slice of it; what cannot be taken apart stays whole.

/// The types of a schema.
pub(super) struct Parts<'t> {
    /// The type that the schema is of.
    pub(super) root: &'t str,
    pub(super) definitions: Vec<Definition<'t>>,
}

/// A struct or an enum.
pub(super) struct Definition<'t> {
    pub(super) name: &'t str,
    /// How it lies in memory, for plain data: size and alignment.
    pub(super) layout: Option<&'t str>,
    pub(super) body: Body<'t>,
}

pub(super) enum Body<'t> {
    Struct(Fields<'t>),
    Enum(Vec<Variant<'t>>),
    /// A text that this side cannot take apart.
    Unknown(&'t str),
}

/// The fields of a struct or a variant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Unit,
    Tuple,
    Named,
}

pub(super) struct Fields<'t> {
    pub(super) shape: Shape,
    pub(super) all: Vec<Field<'t>>,
}

#[derive(Clone, Copy)]
pub(super) struct Field<'t> {
    /// Empty in a tuple.
    pub(super) name: &'t str,
    pub(super) ty: &'t str,
}

pub(super) struct Variant<'t> {
    pub(super) key: Key<'t>,
    /// Empty where the user gave it a number.
    pub(super) name: &'t str,
    /// The discriminant, for plain data.
    pub(super) number: &'t str,
    pub(super) fields: Fields<'t>,
    /// It has fields that came later.
    pub(super) extended: bool,
}

/// What peers know a variant by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'t> {
    /// A message of an endpoint, by its name.
    Message(&'t str),
    /// A message of an endpoint, by the id that the user gave it.
    Pinned(&'t str),
    /// A variant of an enum, by its number.
    Tag(&'t str),
    /// A variant of plain data.
    Plain(&'t str),
}

impl<'t> Parts<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let mut lines = text.split('\n');
        let root = lines.next().unwrap_or_default();
        // Behind "#n = ".
        let definition = |line: &'t str| line.split_once(" = ").map_or(line, |(_, definition)| definition);
        Self { root, definitions: lines.map(definition).map(Definition::of).collect() }
    }
}

impl<'t> Definition<'t> {
    fn of(text: &'t str) -> Self {
        let opens = |c: char| "{(<".contains(c);
        let (head, body) = text.split_at(text.find(opens).unwrap_or(text.len()));
        let (name, layout) = match head.split_once(" pod ") {
            Some((name, layout)) => (name, Some(layout)),
            None => (head, None),
        };
        let body = match body.strip_prefix('<') {
            Some(variants) => variants
                .strip_suffix('>')
                .and_then(|variants| split(variants, ';'))
                .and_then(|variants| {
                    variants.into_iter().map(|text| Variant::of(text, layout.is_some())).collect()
                })
                .map_or(Body::Unknown(body), Body::Enum),
            None => Fields::of(body).map_or(Body::Unknown(body), Body::Struct),
        };
        Self { name, layout, body }
    }
}

impl<'t> Variant<'t> {
    fn of(text: &'t str, plain: bool) -> Option<Self> {
        let (text, extended) = match text.strip_suffix('+') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (head, fields) = text.split_at(text.find(['{', '(']).unwrap_or(text.len()));
        let (head, number) = head.split_once('=').unwrap_or((head, ""));
        let (key, name) = match head.split_once(':') {
            _ if plain => (Key::Plain(head), head),
            Some((tag, name)) => (Key::Tag(tag), name),
            None if head.starts_with(|c: char| c.is_ascii_digit()) => (Key::Tag(head), ""),
            None => match head.strip_prefix('#') {
                Some(id) => (Key::Pinned(id), ""),
                None => (Key::Message(head), head),
            },
        };
        Some(Self { key, name, number, fields: Fields::of(fields)?, extended })
    }
}

impl<'t> Fields<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (shape, all) = match (text.strip_prefix('{'), text.strip_prefix('(')) {
            (Some(fields), _) => (Shape::Named, fields.strip_suffix('}')?),
            (_, Some(fields)) => (Shape::Tuple, fields.strip_suffix(')')?),
            _ if text.is_empty() => (Shape::Unit, ""),
            _ => return None,
        };
        let field = |text: &'t str| match shape {
            Shape::Named => text.split_once(':').map(|(name, ty)| Field { name, ty }),
            _ => Some(Field { name: "", ty: text }),
        };
        let all = split(all, ',')?.into_iter().map(field).collect::<Option<_>>()?;
        Some(Self { shape, all })
    }

    /// The field that is the right to an answer, and the answer's type.
    pub(super) fn reply(&self) -> Option<(&'t str, &'t str)> {
        self.all.iter().find_map(|field| Some((field.name, answer(field.ty)?)))
    }

    /// All other fields.
    pub(super) fn sent(&self) -> Vec<Field<'t>> {
        self.all.iter().filter(|field| answer(field.ty).is_none()).copied().collect()
    }
}

fn answer(ty: &str) -> Option<&str> {
    ty.strip_prefix("Reply<")?.strip_suffix('>')
}

/// Splits a list at the separators that stand outside all brackets. `None`: the brackets do not match.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth = depth.checked_sub(1)?,
            c if c == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if start < text.len() {
        parts.push(&text[start..]);
    }
    (depth == 0).then_some(parts)
}
