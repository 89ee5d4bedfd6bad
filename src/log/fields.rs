//! The fields of a line for people: a value that would run into what stands beside it is quoted.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes `name=value` for each field, and the message without its name.
#[derive(Debug)]
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, before: "", written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    /// What goes before the next field.
    before: &'static str,
    written: fmt::Result,
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.written = self.written.and_then(|()| self.put(field.name(), value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Line<'_> {
    fn put(&mut self, name: &str, value: &str) -> fmt::Result {
        let before = std::mem::replace(&mut self.before, " ");
        if name == "message" {
            // Whatever it quotes, it stays one line and moves no cursor.
            return write!(self.writer, "{before}{}", Escaped(value));
        }
        let (dim, plain) = if self.writer.has_ansi_escapes() { (DIM, PLAIN) } else { ("", "") };
        write!(self.writer, "{before}{dim}{name}={plain}")?;
        match value.is_empty() || value.contains(is_confusing) {
            true => write!(self.writer, "{value:?}"),
            false => self.writer.write_str(value),
        }
    }
}

/// A text whose control characters are spelled.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|each| match each.is_control() {
            true => write!(out, "{}", each.escape_default()),
            false => out.write_char(each),
        })
    }
}

/// Whether a value with this character in it could be taken for more than one, or for no value at all.
fn is_confusing(each: char) -> bool {
    each.is_whitespace() || each.is_control() || matches!(each, '"' | '=')
}

/// Dims what follows on a terminal.
const DIM: &str = "\x1b[2m";
/// Ends that.
const PLAIN: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use crate::log::captured::Captured;

    #[test]
    fn a_value_with_spaces_ends_where_its_quotes_do() {
        let captured = Captured::by("info");
        let fault = "backend users: a=\"b\"\nand more";
        tracing::warn!(method = %"getUser", fault = %fault, age_ms = 3_045, why = "", "call");
        let line = "call method=getUser fault=\"backend users: a=\\\"b\\\"\\nand more\" age_ms=3045 why=\"\"";
        assert!(captured.lines()[0].ends_with(line), "{:?}", captured.lines());
    }

    #[test]
    fn what_has_no_value_is_left_out_and_a_plain_text_has_no_quotes() {
        let captured = Captured::by("info");
        let fault: Option<&str> = None;
        tracing::warn!(outcome = "failed", fault, "call");
        assert!(captured.lines()[0].ends_with(": call outcome=failed"), "{:?}", captured.lines());
    }

    #[test]
    fn a_message_is_one_line() {
        let captured = Captured::by("info");
        tracing::warn!("a\nb\u{1b}[2J");
        assert!(captured.lines()[0].ends_with(": a\\nb\\u{1b}[2J"), "{:?}", captured.lines());
    }
}
