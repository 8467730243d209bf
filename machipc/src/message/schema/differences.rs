//! What differs between two schemas, in words.

use core::fmt::{self, Write as _};
use std::collections::HashSet;

use super::parts::{Body, Definition, Field, Fields, Key, Parts, Shape, Variant};

/// What differs between the types of two sides, in words for whoever has to make them the same.
///
/// Made by [`Schema::differences`](super::Schema::differences). It displays as one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    lines: Vec<String>,
    /// There are more than these.
    more: bool,
}

/// As many differences are told.
const LINES_MAX: usize = 8;
/// As many characters of a name or a type are shown.
const SHOWN: usize = 80;
/// As many fields are listed.
const FIELDS_SHOWN: usize = 16;
/// As many pairs of types are compared. Each compares within one line of either text.
const PAIRS_MAX: usize = 4096;

impl Differences {
    /// A description of more bytes than this is not looked at.
    pub(crate) const TEXT_MAX: usize = 256 * 1024;

    /// Each difference, as a phrase without a full stop.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Whether nothing is known to differ.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What differs between two texts.
    pub(crate) fn between(ours: &str, theirs: &str) -> Self {
        if ours == theirs {
            return Self::default();
        }
        if theirs.len() > Self::TEXT_MAX {
            return Self::only("the host's description of its messages is too large to be compared");
        }
        let (ours, theirs) = (Parts::of(ours), Parts::of(theirs));
        let mut comparison = Comparison {
            ours: &ours,
            theirs: &theirs,
            found: Self::default(),
            due: Vec::new(),
            seen: HashSet::new(),
        };
        comparison.run();
        if comparison.found.is_empty() {
            return Self::only("the definitions differ in what their parts do not show");
        }
        comparison.found
    }

    /// What a peer may have written, made harmless and short.
    pub(crate) fn shown(text: &str) -> String {
        shown(text)
    }

    fn only(line: &str) -> Self {
        Self { lines: vec![line.to_owned()], more: false }
    }

    fn add(&mut self, line: String) {
        if self.lines.len() < LINES_MAX {
            self.lines.push(line);
        } else {
            self.more = true;
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines.iter().enumerate() {
            f.write_str(if index > 0 { "; " } else { "" })?;
            f.write_str(line)?;
        }
        f.write_str(if self.more { "; and more" } else { "" })
    }
}

/// A definition of ours and one of theirs that stand in the same place.
type Pair = (usize, usize);

struct Comparison<'p, 't> {
    ours: &'p Parts<'t>,
    theirs: &'p Parts<'t>,
    found: Differences,
    /// Pairs that are to be compared, in the order in which they were met.
    due: Vec<Pair>,
    seen: HashSet<Pair>,
}

/// Where a type is mentioned: inside these definitions, if it is inside any.
type Inside = Option<Pair>;

impl<'p> Comparison<'p, '_> {
    fn run(&mut self) {
        self.types("the message", self.ours.root, self.theirs.root, None);
        let mut next = 0;
        while let Some(&pair) = self.due.get(next) {
            next += 1;
            let definitions = (self.ours.definitions.get(pair.0), self.theirs.definitions.get(pair.1));
            if let (Some(ours), Some(theirs)) = definitions {
                self.definition(ours, theirs, pair);
            }
        }
    }

    /// Compares two types that stand in the same place, and has what they refer to compared.
    fn types(&mut self, place: &str, ours: &str, theirs: &str, inside: Inside) {
        let (mut a, mut b) = (ours, theirs);
        let mut referred = Vec::new();
        let mut extended = None;
        loop {
            let ((before_a, rest_a), (before_b, rest_b)) = (until_reference(a), until_reference(b));
            let references = (
                Reference::read(rest_a, inside.map(|pair| pair.0), self.ours),
                Reference::read(rest_b, inside.map(|pair| pair.1), self.theirs),
            );
            match references {
                _ if before_a != before_b => break,
                (None, None) if rest_a.is_empty() && rest_b.is_empty() => {
                    self.due.extend(referred);
                    if let Some(line) = extended {
                        self.found.add(line);
                    }
                    return;
                }
                (Some(one), Some(other)) if one.name == other.name => {
                    if one.extended != other.extended {
                        let (with, without) =
                            if one.extended { ("here", "in the host") } else { ("in the host", "here") };
                        extended = Some(format!(
                            "{place}: `{}` has `since` fields {with} and none {without}, which matters where other fields may follow",
                            shown(one.name)
                        ));
                    }
                    let pair = (one.index, other.index);
                    if self.seen.len() < PAIRS_MAX && self.seen.insert(pair) {
                        referred.push(pair);
                    }
                    (a, b) = (one.rest, other.rest);
                }
                _ => break,
            }
        }
        self.due.extend(referred);
        let (ours, theirs) = (
            self.ours.spell(ours, inside.map(|pair| pair.0)),
            self.theirs.spell(theirs, inside.map(|pair| pair.1)),
        );
        self.found.add(format!("{place} is `{ours}` here and `{theirs}` in the host"));
    }

    fn definition(&mut self, ours: &'p Definition<'p>, theirs: &'p Definition<'p>, pair: Pair) {
        let name = format!("`{}`", shown(ours.name));
        if ours.layout != theirs.layout {
            let layout = |layout: Option<&str>| match layout.and_then(|layout| layout.split_once('/')) {
                Some((size, align)) => format!("{} bytes aligned to {}", shown(size), shown(align)),
                None => "no plain data".to_owned(),
            };
            let (here, there) = (layout(ours.layout), layout(theirs.layout));
            self.found.add(format!("{name} is {here} here and {there} in the host"));
        }
        match (&ours.body, &theirs.body) {
            (Body::Struct(ours), Body::Struct(theirs)) => self.fields(&name, ours, theirs, pair),
            (Body::Enum(ours), Body::Enum(theirs)) => self.variants(&name, ours, theirs, pair),
            (Body::Unknown(ours), Body::Unknown(theirs)) if ours == theirs => {}
            (Body::Unknown(_), _) | (_, Body::Unknown(_)) => {
                self.found.add(format!("{name} is defined in another way in the host"));
            }
            (Body::Struct(_), _) => {
                self.found.add(format!("{name} is a struct here and an enum in the host"))
            }
            (Body::Enum(_), _) => self.found.add(format!("{name} is an enum here and a struct in the host")),
        }
    }

    fn variants(&mut self, name: &str, ours: &'p [Variant<'p>], theirs: &'p [Variant<'p>], pair: Pair) {
        for variant in ours {
            let what = variant.what(name);
            match theirs.iter().find(|other| other.key == variant.key) {
                None => self.found.add(format!("the host has no {what}")),
                Some(other) if other.name != variant.name => {
                    let (here, there) = (variant.called(), other.called());
                    self.found.add(format!(
                        "variant {} of {name} is {here} here and {there} in the host",
                        variant.tag()
                    ));
                }
                Some(other) => {
                    if other.number != variant.number {
                        let (here, there) = (shown(variant.number), shown(other.number));
                        self.found.add(format!("{what} is {here} here and {there} in the host"));
                    }
                    if other.extended != variant.extended {
                        let (with, without) =
                            if variant.extended { ("here", "in the host") } else { ("in the host", "here") };
                        self.found.add(format!(
                            "{what} has `since` fields {with} and none {without}, which matters where other fields may follow"
                        ));
                    }
                    self.fields(&what, &variant.fields, &other.fields, pair);
                }
            }
        }
        for other in theirs.iter().filter(|other| ours.iter().all(|variant| variant.key != other.key)) {
            self.found.add(format!("this side has no {}", other.what(name)));
        }
    }

    fn fields(&mut self, place: &str, ours: &Fields<'p>, theirs: &Fields<'p>, pair: Pair) {
        self.answers(place, ours, theirs, pair);
        let (here, there) = (ours.sent(), theirs.sent());
        if ours.shape != theirs.shape && !(here.is_empty() && there.is_empty()) {
            let (here, there) = (shape(ours.shape), shape(theirs.shape));
            return self.found.add(format!("{place} has {here} here and {there} in the host"));
        }
        if ours.shape != theirs.shape && ours.reply().is_none() && theirs.reply().is_none() {
            let (here, there) = (brackets(ours.shape), brackets(theirs.shape));
            return self.found.add(format!("{place} is written {here} here and {there} in the host"));
        }
        if ours.shape == Shape::Tuple {
            return self.tuple(place, &here, &there, pair);
        }
        let missing = |from: &[Field<'p>], of: &[Field<'p>]| -> Vec<(usize, Field<'p>)> {
            let is_missing = |field: &Field<'p>| from.iter().all(|other| other.name != field.name);
            of.iter().copied().enumerate().filter(|(_, field)| is_missing(field)).collect()
        };
        let (not_there, not_here) = (missing(&there, &here), missing(&here, &there));
        match (&not_there[..], &not_here[..]) {
            ([], []) => {
                let names = |fields: &[Field<'p>]| fields.iter().map(|field| field.name).collect::<Vec<_>>();
                if names(&here) != names(&there) {
                    let list = |fields: &[Field<'p>]| {
                        let names: Vec<_> = fields
                            .iter()
                            .take(FIELDS_SHOWN)
                            .map(|field| format!("`{}`", shown(field.name)))
                            .collect();
                        names.join(", ")
                    };
                    let (here, there) = (list(&here), list(&there));
                    self.found.add(format!(
                        "{place}: the fields are {here} here and {there} in the host, in that order"
                    ));
                }
            }
            ([(at, field)], [(there_at, other)]) if at == there_at => {
                let (here, there) = (shown(field.name), shown(other.name));
                self.found
                    .add(format!("{place}: field {at} is called `{here}` here and `{there}` in the host"));
            }
            _ => {
                for (_, field) in not_there {
                    self.found.add(format!("{place}: the host has no field `{}`", shown(field.name)));
                }
                for (_, field) in not_here {
                    self.found.add(format!("{place}: this side has no field `{}`", shown(field.name)));
                }
            }
        }
        for field in &here {
            if let Some(other) = there.iter().find(|other| other.name == field.name) {
                self.types(
                    &format!("{place}: field `{}`", shown(field.name)),
                    field.ty,
                    other.ty,
                    Some(pair),
                );
            }
        }
    }

    fn tuple(&mut self, place: &str, ours: &[Field<'_>], theirs: &[Field<'_>], pair: Pair) {
        if ours.len() != theirs.len() {
            let (here, there) = (ours.len(), theirs.len());
            return self.found.add(format!("{place}: there are {here} fields here and {there} in the host"));
        }
        for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            self.types(&format!("{place}: field {index}"), ours.ty, theirs.ty, Some(pair));
        }
    }

    fn answers(&mut self, place: &str, ours: &Fields<'_>, theirs: &Fields<'_>, pair: Pair) {
        match (ours.reply(), theirs.reply()) {
            (None, None) => {}
            (Some((name, ours)), Some((other_name, theirs))) => {
                if name != other_name {
                    let (here, there) = (shown(name), shown(other_name));
                    self.found
                        .add(format!("{place}: the reply is called `{here}` here and `{there}` in the host"));
                }
                self.types(&format!("{place}: the answer"), ours, theirs, Some(pair));
            }
            (Some(_), None) => self.found.add(format!("{place} is answered here and one way in the host")),
            (None, Some(_)) => self.found.add(format!("{place} is one way here and answered in the host")),
        }
    }
}

/// A definition that a type refers to.
struct Reference<'t> {
    index: usize,
    name: &'t str,
    extended: bool,
    /// What follows it.
    rest: &'t str,
}

impl<'t> Reference<'t> {
    /// Reads the reference that `text` begins with, in the definition `inside`.
    fn read(text: &'t str, inside: Option<usize>, parts: &Parts<'t>) -> Option<Self> {
        let text = text.strip_prefix('#')?;
        let (index, rest) = match text.strip_prefix("self") {
            Some(rest) => (inside?, rest),
            None => {
                let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                (text[..end].parse().ok()?, &text[end..])
            }
        };
        let name = parts.definitions.get(index)?.name;
        let (extended, rest) = rest.strip_prefix('+').map_or((false, rest), |rest| (true, rest));
        Some(Self { index, name, extended, rest })
    }
}

impl Parts<'_> {
    /// A type as a person would write it: with names in place of numbers.
    fn spell(&self, ty: &str, inside: Option<usize>) -> String {
        let (mut text, mut left) = (String::new(), ty);
        loop {
            let (before, rest) = until_reference(left);
            text.push_str(before);
            if rest.is_empty() || text.len() > SHOWN {
                return shown(&text);
            }
            left = match Reference::read(rest, inside, self) {
                Some(reference) => {
                    text.push_str(reference.name);
                    reference.rest
                }
                None => {
                    text.push('#');
                    &rest[1..]
                }
            };
        }
    }
}

impl Variant<'_> {
    /// The variant of the type `of`, for a sentence.
    fn what(&self, of: &str) -> String {
        match self.key {
            Key::Message(name) => format!("message `{}`", shown(name)),
            Key::Pinned(id) => format!("message with the id {}", shown(id)),
            Key::Tag(tag) if self.name.is_empty() => format!("variant with the id {} of {of}", shown(tag)),
            Key::Tag(_) | Key::Plain(_) => format!("variant `{}` of {of}", shown(self.name)),
        }
    }

    fn tag(&self) -> String {
        match self.key {
            Key::Message(key) | Key::Pinned(key) | Key::Tag(key) | Key::Plain(key) => shown(key),
        }
    }

    fn called(&self) -> String {
        if self.name.is_empty() {
            "known by its id only".to_owned()
        } else {
            format!("`{}`", shown(self.name))
        }
    }
}

fn until_reference(text: &str) -> (&str, &str) {
    text.split_at(text.find('#').unwrap_or(text.len()))
}

fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Unit => "no fields",
        Shape::Tuple => "fields without names",
        Shape::Named => "fields with names",
    }
}

fn brackets(shape: Shape) -> &'static str {
    match shape {
        Shape::Unit => "without brackets",
        Shape::Tuple => "with `()`",
        Shape::Named => "with `{}`",
    }
}

/// What a peer may have written, made harmless and short.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == SHOWN {
            shown.push('…');
            break;
        }
        let _ = match c {
            '"' | '\'' | '\\' => shown.write_char(c),
            c => write!(shown, "{}", c.escape_debug()),
        };
    }
    shown
}
