//! Prints a C program that fails to compile where machipc's definitions differ from Apple's headers.
//!
//! `.ci/darwin` runs this on the machine that builds and compiles the output for each Apple target, so that a wrong
//! size, alignment, offset, constant or argument type in `machipc::mach` breaks the build although no Mac is at hand:
//!
//! ```sh
//! cargo run --example layout_asserts > asserts.c && zig cc -target aarch64-macos -O1 -c asserts.c
//! ```
//!
//! The tables come from the definitions themselves. What is stated here is only how C spells some of them.

use machipc::mach::layout::{CONSTANTS, FUNCTIONS, Field, Function, INTEGERS, STRUCTS, Struct};
use std::fmt::Write;

/// A struct of ours that stands for others in C, or whose fields C names otherwise.
struct Spelling<'a> {
    ours: &'a str,
    /// The C structs to compare it with.
    theirs: &'a [&'a str],
    /// Our field, C's first field at that place.
    fields: &'a [(&'a str, &'a str)],
    /// The C field that our struct ends before; C's notifications include the smallest trailer.
    ends_before: Option<&'a str>,
}

const fn trailer<'a>(ours: &'a [&'a str; 1], fields: &'a [(&'a str, &'a str)]) -> Spelling<'a> {
    Spelling { ours: ours[0], theirs: ours, fields, ends_before: None }
}

const SPELLINGS: &[Spelling<'_>] = &[
    // Our trailers contain the next smaller one; C's repeat its fields.
    trailer(&["mach_msg_seqno_trailer_t"], &[("trailer", "msgh_trailer_type")]),
    trailer(&["mach_msg_security_trailer_t"], &[("seqno", "msgh_trailer_type")]),
    trailer(&["mach_msg_audit_trailer_t"], &[("security", "msgh_trailer_type")]),
    trailer(&["mach_msg_context_trailer_t"], &[("audit", "msgh_trailer_type")]),
    trailer(&["mach_msg_mac_trailer_t"], &[("context", "msgh_trailer_type")]),
    Spelling { ours: "kevent64_s", theirs: &["struct kevent64_s"], fields: &[], ends_before: None },
    Spelling { ours: "timespec", theirs: &["struct timespec"], fields: &[], ends_before: None },
    Spelling {
        ours: "mach_notification_t",
        theirs: &[
            "mach_port_deleted_notification_t",
            "mach_send_possible_notification_t",
            "mach_dead_name_notification_t",
        ],
        fields: &[("not_value", "not_port")],
        ends_before: Some("trailer"),
    },
    Spelling {
        ours: "mach_notification_t",
        theirs: &["mach_no_senders_notification_t"],
        fields: &[("not_value", "not_count")],
        ends_before: Some("trailer"),
    },
    Spelling {
        ours: "mach_port_destroyed_notification_t",
        theirs: &["mach_port_destroyed_notification_t"],
        fields: &[],
        ends_before: Some("trailer"),
    },
];

/// Fields that are bit-fields in C, whose place can be seen only by writing to them.
const BIT_FIELDS: &[(&str, &[&str])] = &[
    ("mach_msg_port_descriptor_t", &["pad2", "disposition", "type"]),
    ("mach_msg_ool_descriptor_t", &["deallocate", "copy", "pad1", "type"]),
    ("mach_msg_ool_ports_descriptor_t", &["deallocate", "copy", "disposition", "type"]),
    ("mach_msg_guarded_port_descriptor_t", &["flags", "disposition", "type"]),
];

/// The kernel's own limits, which no public header has.
const KERNEL_LIMITS: &[&str] = &["MACH_MSG_SEND_MAX", "MACH_MSG_PORTS_MAX", "MACH_PORT_UREFS_MAX"];

/// Names of `<servers/bootstrap.h>`, `<sys/fileport.h>` and `<notify.h>`, which Zig does not bring along. What `mach2` has of them
/// is compared in `machipc/src/mach/darwin/foreign.rs`.
const ABSENT_PREFIXES: &[&str] = &["bootstrap_", "BOOTSTRAP_", "fileport_", "notify_"];

fn main() {
    let mut asserts = Asserts { c: String::from(PROLOGUE), count: 0 };
    for integer in INTEGERS {
        asserts.check(&format!("sizeof({}) == {}", integer.name, integer.size));
        asserts.check(&format!("(({})-1 < 0) == {}", integer.name, u8::from(integer.signed)));
    }
    for ours in STRUCTS.iter().copied().flatten() {
        let mut spelled = SPELLINGS.iter().filter(|spelling| spelling.ours == ours.name).peekable();
        if spelled.peek().is_none() {
            asserts.structure(
                ours,
                &Spelling { ours: ours.name, theirs: &[ours.name], fields: &[], ends_before: None },
            );
        }
        spelled.for_each(|spelling| asserts.structure(ours, spelling));
    }
    let mut unchecked = Vec::new();
    for constant in CONSTANTS.iter().copied().flatten() {
        if KERNEL_LIMITS.contains(&constant.name) || is_absent(constant.name) {
            unchecked.push(constant.name);
            asserts.absent(constant.name);
        } else {
            asserts.check(&format!("(long long)({}) == {}LL", constant.name, constant.value));
        }
    }
    for function in FUNCTIONS {
        if is_absent(function.name) {
            unchecked.push(function.name);
        } else {
            asserts.function(function);
        }
    }
    print!("{}", asserts.c);
    println!("// {} assertions", asserts.count);
    println!("// without an assertion: {}", unchecked.join(" "));
}

fn is_absent(name: &str) -> bool {
    ABSENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

const PROLOGUE: &str = "\
// Printed by the example layout_asserts of machipc.
#include <dlfcn.h>
#include <signal.h>
#include <mach/mach.h>
#include <mach/mach_error.h>
#include <mach/mig_errors.h>
#include <mach/notify.h>
#include <stddef.h>
#include <string.h>
#include <sys/event.h>
#include <time.h>

";

/// The C text so far.
struct Asserts {
    c: String,
    count: usize,
}

impl Asserts {
    fn check(&mut self, condition: &str) {
        self.count += 1;
        line(&mut self.c, format_args!("_Static_assert({condition}, \"{condition}\");"));
    }

    /// A constant without an assertion must have no definition to compare it with.
    fn absent(&mut self, name: &str) {
        line(
            &mut self.c,
            format_args!("#ifdef {name}\n#error \"the headers have {name}: compare it\"\n#endif"),
        );
    }

    fn structure(&mut self, ours: &Struct, spelling: &Spelling<'_>) {
        for theirs in spelling.theirs {
            match spelling.ends_before {
                None => self.check(&format!("sizeof({theirs}) == {}", ours.size)),
                Some(next) => self.check(&format!("offsetof({theirs}, {next}) == {}", ours.size)),
            }
            self.check(&format!("_Alignof({theirs}) == {}", ours.align));
            for field in ours.fields {
                let name = field.name.trim_start_matches("r#");
                let c_name = spelling.fields.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, c)| *c);
                let nests = c_name == "msgh_trailer_type" && name != c_name;
                if BIT_FIELDS.iter().any(|(of, fields)| of == theirs && fields.contains(&name)) {
                    self.bit_field(theirs, c_name, field);
                } else {
                    self.check(&format!("offsetof({theirs}, {c_name}) == {}", field.offset));
                    if !nests {
                        self.check(&format!("sizeof((({theirs} *)0)->{c_name}) == {}", field.size));
                    }
                }
            }
        }
    }

    /// All ones written to the field must change exactly our bytes. The call that tells of a difference is an error
    /// unless the optimiser proves that it is never made.
    fn bit_field(&mut self, theirs: &str, name: &str, field: &Field) {
        self.count += 1;
        let (number, start, end) = (self.count, field.offset, field.offset + field.size);
        line(
            &mut self.c,
            format_args!(
                "__attribute__((error(\"{theirs}.{name} is not bytes {start}..{end}\"))) void differs_{number}(void);\n\
                 void bit_field_{number}(void) {{\n\
                 \x20   {theirs} value;\n\
                 \x20   unsigned char bytes[sizeof value];\n\
                 \x20   memset(&value, 0, sizeof value);\n\
                 \x20   value.{name} = -1;\n\
                 \x20   memcpy(bytes, &value, sizeof value);\n\
                 #pragma clang loop unroll(full)\n\
                 \x20   for (unsigned i = 0; i < sizeof value; i++)\n\
                 \x20       if (bytes[i] != (i >= {start} && i < {end} ? 0xff : 0)) differs_{number}();\n\
                 }}"
            ),
        );
    }

    fn function(&mut self, function: &Function) {
        let arguments: Vec<String> = function.arguments.iter().map(|rust| c_type(rust)).collect();
        self.check(&format!(
            "__builtin_types_compatible_p(__typeof__({}), {} ({}))",
            function.name,
            c_type(function.result),
            if arguments.is_empty() { "void".to_owned() } else { arguments.join(", ") }
        ));
    }
}

fn line(c: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(c, "{text}").expect("a String takes any text");
}

/// The C spelling of a Rust type: the integers have C's names already.
fn c_type(rust: &str) -> String {
    if let Some(pointer) = rust.strip_prefix('*') {
        let pointer = pointer.trim_start();
        return match pointer.strip_prefix("const ") {
            Some(target) => format!("const {} *", c_type(target)),
            None => format!("{} *", c_type(pointer.strip_prefix("mut ").unwrap_or(pointer))),
        };
    }
    match rust {
        "c_int" | "i32" => "int",
        "c_char" => "char",
        "c_void" => "void",
        "u32" => "unsigned int",
        "u64" => "uint64_t",
        "kevent64_s" => "struct kevent64_s",
        "timespec" => "struct timespec",
        named => named,
    }
    .to_owned()
}
