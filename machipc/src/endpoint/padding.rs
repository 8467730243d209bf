//! Looks for padding while the program is compiled.

/// Stops the compiler when there is a gap behind the field called `field`, and says how many bytes it has.
#[track_caller]
pub const fn assert_no_padding(gap: usize, field: &str) {
    if gap == 0 {
        return;
    }
    let mut text = Text { bytes: [0; Text::ROOM], len: 0 };
    text.push("plain data has no padding, and behind `");
    text.push(field);
    text.push(if gap == 1 { "` there is 1 byte of it" } else { "` there are " });
    if gap > 1 {
        text.push_number(gap);
        text.push(" bytes of it");
    }
    text.push(": fill it with a field (`_padding: [u8; ");
    text.push_number(gap);
    text.push("]`), or reorder the fields");
    panic!("{}", text.as_str());
}

/// A `String` for constants.
struct Text {
    bytes: [u8; Self::ROOM],
    len: usize,
}

impl Text {
    const ROOM: usize = 512;

    /// Appends as much of the text as there is room for.
    const fn push(&mut self, text: &str) {
        let mut index = 0;
        while index < text.len() && self.len < Self::ROOM {
            self.bytes[self.len] = text.as_bytes()[index];
            self.len += 1;
            index += 1;
        }
    }

    const fn push_number(&mut self, number: usize) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        if self.len < Self::ROOM {
            self.bytes[self.len] = b'0' + (number % 10) as u8;
            self.len += 1;
        }
    }

    const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "plain data has no padding",
        }
    }
}
