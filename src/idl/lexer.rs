//! Cuts the text of a `.thrift` file into words.

use super::{Mistake, PROBLEMS};

/// One word of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token<'a> {
    /// Counted from 1.
    pub(super) line: u32,
    pub(super) place: Place,
    pub(super) lexeme: Lexeme<'a>,
}

/// Where in its line a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Later,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Lexeme<'a> {
    /// A keyword or identifier, dots included.
    Name(&'a str),
    /// A quoted text without its quotes.
    Text(&'a str),
    Integer(i64),
    /// A number with a fraction or an exponent; no part of a schema needs its value.
    Decimal,
    Symbol(char),
    /// The end of the file; given again and again.
    End,
}

impl Lexeme<'_> {
    /// What to call it in a message.
    pub(super) fn describe(self) -> String {
        match self {
            Lexeme::Name(name) => name.chars().take(SHOWN).collect(),
            Lexeme::Text(_) => "a quoted text".to_owned(),
            Lexeme::Integer(number) => number.to_string(),
            Lexeme::Decimal => "a decimal number".to_owned(),
            Lexeme::Symbol(symbol) => format!("'{symbol}'"),
            Lexeme::End => "the end of the file".to_owned(),
        }
    }
}

/// A mistake and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slip {
    pub(super) line: u32,
    pub(super) mistake: Mistake,
}

/// Gives one token after the other; what has no meaning is noted and skipped.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
    line: u32,
    place: Place,
    pub(super) slips: Vec<Slip>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { rest, line: 1, place: Place::First, slips: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Token<'a> {
        loop {
            self.skip_blanks();
            let (line, place) = (self.line, self.place);
            let Some(first) = self.rest.chars().next() else {
                return Token { line, place: Place::First, lexeme: Lexeme::End };
            };
            self.place = Place::Later;
            if let Some(lexeme) = self.lexeme(first) {
                return Token { line, place, lexeme };
            }
        }
    }

    fn lexeme(&mut self, first: char) -> Option<Lexeme<'a>> {
        match first {
            'a'..='z' | 'A'..='Z' | '_' => Some(Lexeme::Name(self.name())),
            '0'..='9' | '+' | '-' | '.' => Some(self.number()),
            '"' | '\'' => Some(self.text(first)),
            '{' | '}' | '(' | ')' | '[' | ']' | '<' | '>' | ',' | ';' | ':' | '=' | '&' | '*' => {
                self.take(first.len_utf8());
                Some(Lexeme::Symbol(first))
            }
            other => {
                self.take(other.len_utf8());
                self.slip(Mistake::UnexpectedCharacter(other));
                None
            }
        }
    }

    /// Smalltalk's namespaces have hyphens in their names.
    fn name(&mut self) -> &'a str {
        self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    }

    fn number(&mut self) -> Lexeme<'a> {
        let start = self.rest;
        self.take_while(|c| matches!(c, '+' | '-'));
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '.');
        if is_exponent(consumed(start, self.rest)) && self.rest.starts_with(['+', '-']) {
            self.take(1);
            self.take_while(|c| c.is_ascii_digit());
        }
        let word = consumed(start, self.rest);
        if let Some(number) = integer(word) {
            if let Ok(number) = i64::try_from(number) {
                return Lexeme::Integer(number);
            }
            self.slip(Mistake::NumberTooLarge(word.chars().take(SHOWN).collect()));
        } else if !is_decimal(word) {
            let found = word.chars().take(SHOWN).collect();
            self.slip(Mistake::Unexpected { expected: "a number", found });
        }
        Lexeme::Decimal
    }

    fn text(&mut self, quote: char) -> Lexeme<'a> {
        self.take(1);
        let mut escaped = false;
        let end = self.rest.find(|c: char| {
            let closes = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        if let Some(end) = end {
            let text = self.take(end);
            self.take(1);
            return Lexeme::Text(text);
        }
        self.slip(Mistake::Unclosed("text"));
        Lexeme::Text(self.take_while(|c| c != '\n'))
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(|c| c.is_whitespace());
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                self.skip_comment();
            } else {
                return;
            }
        }
    }

    fn skip_comment(&mut self) {
        let body = self.rest.get(2..).unwrap_or_default();
        if let Some(end) = body.find("*/") {
            self.take(end + 4);
        } else {
            self.slip(Mistake::Unclosed("comment"));
            self.take(self.rest.len());
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Takes so many bytes, which must end between two characters, and counts the lines in them.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        let lines = taken.bytes().filter(|byte| *byte == b'\n').count();
        if lines > 0 {
            self.place = Place::First;
            self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        }
        self.rest = rest;
        taken
    }

    fn slip(&mut self, mistake: Mistake) {
        if self.slips.len() < PROBLEMS {
            self.slips.push(Slip { line: self.line, mistake });
        }
    }
}

/// What of `before` is no longer in `after`, its tail.
fn consumed<'a>(before: &'a str, after: &str) -> &'a str {
    before.get(..before.len().saturating_sub(after.len())).unwrap_or_default()
}

/// Whether a number stops before the sign of its exponent: `1e` of `1e-9`, but not `0x1e`.
fn is_exponent(word: &str) -> bool {
    word.ends_with(['e', 'E']) && !word.contains(['x', 'X'])
}

fn is_decimal(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit()) && word.parse::<f64>().is_ok()
}

/// The value of a decimal or hexadecimal number; a number beyond `i128` comes out as its bound.
fn integer(word: &str) -> Option<i128> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = hexadecimal.map_or((digits, 10), |digits| (digits, 16));
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    Some(i128::from_str_radix(digits, radix).map_or(i128::MAX, |number| sign * number))
}

/// Characters of a strange word that a message shows.
const SHOWN: usize = 40;
