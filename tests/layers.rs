//! The layers of `machipc/src` (ARCHITECTURE.md) as tests that read the sources: systems are named below the seam only, unsafe code stands
//! where it may, no floor imports a higher one, and no file outgrows its reader.
//!
//! Where the sources are not at hand (the program was carried to another machine) there is nothing to read, and the tests say so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The floors, lowest first, and the modules on each.
const FLOORS: &[&[&str]] = &[
    &["mach"],
    &["message"],
    &["port"],
    &[
        "client",
        "context",
        "driver",
        "endpoint",
        "error",
        "family",
        "host",
        "interceptor",
        "logger",
        "macros",
        "registry",
        "reply",
        "scope",
        "scratch",
        "stream",
        "thread_priority",
    ],
];

/// Modules that may name an operating system.
const KNOW_THE_SYSTEM: &[&str] = &["mach", "thread_priority"];
/// Crates that are an operating system's.
const SYSTEM_CRATES: &[&str] = &["libc", "mach2", "rustix"];
/// Modules with unsafe code.
const MAY_BE_UNSAFE: &[&str] = &["mach", "port", "thread_priority"];
/// Lines of code in a file. Comments are no reason to split one.
const LINES_MAX: usize = 700;

#[test]
fn systems_are_named_below_the_seam() {
    each_file(|file| {
        if KNOW_THE_SYSTEM.contains(&file.module()) {
            return Vec::new();
        }
        let conditions = system_conditions(&file.code);
        let crates =
            words(&file.code).into_iter().filter(|word| SYSTEM_CRATES.contains(word)).map(str::to_owned);
        conditions.into_iter().chain(crates).collect()
    });
}

#[test]
fn unsafe_code_stands_where_it_may() {
    each_file(|file| {
        let may = MAY_BE_UNSAFE.contains(&file.module());
        words(&file.code).into_iter().filter(|word| *word == "unsafe" && !may).map(str::to_owned).collect()
    });
}

#[test]
fn no_floor_imports_a_higher_one() {
    let Some(files) = sources() else { return };
    let root = files.iter().find(|file| file.path.is_empty()).expect("lib.rs is among the sources");
    let exports = exports(&root.code);
    each_file(|file| match floor(file.module()) {
        None if file.path.is_empty() => Vec::new(),
        None => vec![format!("the module {:?} is on no floor: put it on one in this test", file.module())],
        Some(own) => climbs(file, own, &exports),
    });
}

#[test]
fn files_are_short_enough_to_read() {
    each_file(|file| match file.lines {
        0..=LINES_MAX => Vec::new(),
        lines => {
            vec![format!("{lines} lines of code, at most {LINES_MAX}: look for the second subject in it")]
        }
    });
}

// ---- Reading the sources

/// A file of `machipc/src`.
struct File {
    name: PathBuf,
    /// The path of its module: `["port", "sys"]`; empty for lib.rs.
    path: Vec<String>,
    /// What the compiler reads, without comments and the contents of literals.
    code: String,
    /// How many lines have code.
    lines: usize,
}

impl File {
    /// The topmost module that it belongs to.
    fn module(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }
}

/// Fails with everything that `breaches` finds in any file.
#[track_caller]
fn each_file(breaches: impl Fn(&File) -> Vec<String>) {
    let Some(files) = sources() else { return };
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            breaches(file).into_iter().map(|breach| format!("{}: {breach}", file.name.display()))
        })
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Every file of the runtime crate; `None` where the sources are not on this machine.
fn sources() -> Option<Vec<File>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("machipc/src");
    if !root.join("lib.rs").is_file() {
        println!("skipped: the source tree is not on this machine");
        return None;
    }
    let mut files = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir().expect("a readable directory") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(read(&root, &path));
            }
        }
    }
    assert!(files.len() > 50, "only {} files", files.len());
    Some(files)
}

fn read(root: &Path, file: &Path) -> File {
    let text = std::fs::read_to_string(file).expect("a readable file");
    let name = file.strip_prefix(root).expect("a file below the root").to_owned();
    let module = name.with_extension("");
    let mut path: Vec<String> =
        module.iter().map(|part| part.to_str().expect("a name in UTF-8").to_owned()).collect();
    path.pop_if(|last| last == "mod" || last == "lib");
    let code = code_of(&text);
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    File { name, path, code, lines }
}

/// The code without comments, and with empty literals in the place of texts and characters.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if next == '"' {
            code.push_str("\"\"");
            text_literal(rest)
        } else if let (Some(hashes), false) = (raw_text(rest), code.ends_with(is_word)) {
            code.push_str("\"\"");
            let end = format!("\"{}", "#".repeat(hashes));
            let start = rest.find('"').map_or(rest.len(), |quote| quote + 1);
            rest[start..].find(&end).map_or(rest.len(), |found| start + found + end.len())
        } else if let Some(len) = character(rest) {
            code.push_str("' '");
            len
        } else {
            code.push(next);
            next.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// The length of the block comment at the start, with those inside it.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the text literal at the start.
fn text_literal(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// How many hashes the raw text literal at the start has.
fn raw_text(text: &str) -> Option<usize> {
    let rest =
        text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// The length of the character literal at the start. A lifetime is none.
fn character(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let first = rest.chars().next()?;
    if first == '\\' {
        // The character behind the backslash may be a quote itself.
        let end = rest[2..].find('\'')?;
        return Some(1 + 2 + end + 1);
    }
    rest[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn words(code: &str) -> Vec<&str> {
    code.split(|character| !is_word(character)).filter(|word| !word.is_empty()).collect()
}

// ---- Rules

/// The conditions of `cfg`, `cfg!` and `cfg_attr` that ask for a system or a processor.
fn system_conditions(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("cfg") {
        let rest = code[at..].trim_start_matches(is_word).trim_start().trim_start_matches('!').trim_start();
        if code[..at].ends_with(is_word) || !rest.starts_with('(') {
            continue;
        }
        let condition = &rest[..balanced(rest)];
        let names = |word: &&str| word.starts_with("target_") || *word == "unix" || *word == "windows";
        if words(condition).iter().any(names) {
            found.push(format!("cfg{condition}"));
        }
    }
    found
}

/// The length of the bracketed group at the start.
fn balanced(code: &str) -> usize {
    let mut depth = 0;
    for (at, character) in code.char_indices() {
        match character {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The floor behind each name that lib.rs exports.
fn exports(root: &str) -> BTreeMap<String, usize> {
    let mut exports = BTreeMap::new();
    for (at, _) in root.match_indices("pub use ") {
        let path = root[at..].trim_start_matches("pub use ").split(';').next().unwrap_or_default();
        let (module, names) = path.split_once("::").unwrap_or((path, ""));
        if let Some(floor) = floor(module) {
            exports.extend(words(names).into_iter().map(|name| (name.to_owned(), floor)));
        }
    }
    assert!(exports.contains_key("Host") && exports.contains_key("SendRight"), "{exports:?}");
    exports
}

/// The paths of a file on floor `own` that lead to a higher one.
fn climbs(file: &File, own: usize, exports: &BTreeMap<String, usize>) -> Vec<String> {
    let mut found = Vec::new();
    let of = |name: &str| floor(name).or_else(|| exports.get(name).copied());
    for (name, certain) in names_at_the_root(&file.code, file.path.len()) {
        match of(name) {
            Some(floor) if floor > own => found.push(format!("imports `{name}` from a higher floor")),
            Some(_) => {}
            None if certain => found.push(format!("`crate::{name}` is on no floor that this test knows")),
            None => {}
        }
    }
    found
}

/// The names of the crate's root that code at this depth of modules refers to, by `crate::` or by enough `super::`. Whether the latter
/// reach the root is not certain, since a module may be inline.
fn names_at_the_root(code: &str, depth: usize) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(is_word) {
            found.extend(heads(&code[at + "crate::".len()..]).into_iter().map(|name| (name, true)));
        }
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue;
        }
        let rest = code[at..].trim_start_matches("super::");
        let supers = (code.len() - at - rest.len()) / "super::".len();
        if supers >= depth {
            found.extend(heads(rest).into_iter().map(|name| (name, false)));
        }
    }
    found
}

/// The first names of a path, or of each path in the group that follows.
fn heads(path: &str) -> Vec<&str> {
    if !path.starts_with('{') {
        return words(path).into_iter().take(1).collect();
    }
    let group = &path[1..balanced(path) - 1];
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices().chain([(group.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.extend(words(&group[start..at]).into_iter().take(1));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

// ---- The rules find what they are for

#[test]
fn comments_and_literals_are_no_code() {
    let text = r##"a /* b /* c */ "d" */ 'e' "f\"g" r#"h"i"# 'j: b"k" br"l" // m
        '\'' '"' n"##;
    assert_eq!(words(&code_of(text)), ["a", "j", "b", "n"]);
}

#[test]
fn conditions_on_systems_are_found() {
    let finds = |code: &str| system_conditions(code).len();
    assert_eq!(finds("#[cfg(target_os = \"\")] fn f() {}"), 1);
    assert_eq!(finds("if cfg!(all(test, unix)) {} #[cfg_attr(windows, x)]"), 2);
    assert_eq!(finds("#[cfg(test)] fn unix() {} #[cfg(feature = \"\")] my_cfg(unix)"), 0);
}

#[test]
fn climbs_are_found() {
    let exports = BTreeMap::from([("Client".to_owned(), 3), ("SendRight".to_owned(), 2)]);
    let finds = |path: &[&str], code: &str| {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        let file = File { name: PathBuf::new(), path, code: code.to_owned(), lines: 0 };
        climbs(&file, floor(file.module()).expect("a floor"), &exports).len()
    };
    assert_eq!(finds(&["port", "sys"], "use crate::{mach::{self, host}, message}; use crate::port::x;"), 0);
    assert_eq!(finds(&["port", "sys"], "use crate::{mach, host::Host}; crate::Client::new()"), 2);
    assert_eq!(finds(&["message"], "use super::port::Deadline; fn f(x: crate::SendRight) {}"), 2);
    assert_eq!(finds(&["mach", "calls"], "super::port() + super::super::port()"), 1);
    assert_eq!(finds(&["host"], "use crate::elsewhere;"), 1);
}
