//! Walks along the words of a `.thrift` file: looks at the one ahead, takes it or says what was expected instead.

use super::lexer::{Lexeme, Lexer, Place, Slip, Token};
use super::syntax::{AnnotationTree, Name};
use super::{Mistake, PROBLEMS};

/// A place between two words. It moves only by taking the word ahead.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    lexer: Lexer<'a>,
    ahead: Token<'a>,
    /// Words behind.
    taken: usize,
    /// Parentheses open within the definition.
    parentheses: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut lexer = Lexer::new(text);
        let ahead = lexer.next();
        Self { lexer, ahead, taken: 0, parentheses: 0 }
    }

    pub(super) fn end(&self) -> bool {
        self.ahead.lexeme == Lexeme::End
    }

    /// The line of the word ahead.
    pub(super) fn line(&self) -> u32 {
        self.ahead.line
    }

    /// How many words have been taken.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Everything noted, in the order of the lines.
    pub(super) fn into_slips(self) -> Vec<Slip> {
        let mut slips = self.lexer.slips;
        slips.sort_by_key(|slip| slip.line);
        slips
    }

    /// Takes words until a definition starts at the beginning of a line.
    pub(super) fn skip_to_definition(&mut self) {
        while !self.at_definition() {
            self.take();
        }
        self.parentheses = 0;
    }

    /// Takes words until an item of a body may start; at least one since `before`, so that it never stands still.
    pub(super) fn skip_to_item(&mut self, before: usize) {
        while !self.at_item(before) {
            self.take();
        }
        self.parentheses = 0;
    }

    /// Whether the next item of a body, the end of the body or the next definition may start here.
    fn at_item(&self, before: usize) -> bool {
        if self.at_definition() || self.ahead.lexeme == Lexeme::Symbol('}') {
            return true;
        }
        self.taken > before && self.ahead.place == Place::First && self.parentheses == 0
    }

    pub(super) fn at_definition(&self) -> bool {
        match self.ahead.lexeme {
            Lexeme::Name(word) => self.ahead.place == Place::First && DEFINITIONS.contains(&word),
            Lexeme::End => true,
            Lexeme::Text(_) | Lexeme::Integer(_) | Lexeme::Decimal | Lexeme::Symbol(_) => false,
        }
    }

    /// Annotations that are for others and a separator, all of which may be missing.
    pub(super) fn ending(&mut self) -> Result<(), Slip> {
        self.annotations_of_others()?;
        self.separator();
        Ok(())
    }

    pub(super) fn separator(&mut self) {
        let _ = self.eat(',') || self.eat(';');
    }

    /// Skips annotations where none can be for this program, and notes those that say they are.
    pub(super) fn annotations_of_others(&mut self) -> Result<(), Slip> {
        for AnnotationTree { name: Name { text, line }, .. } in self.annotations()? {
            self.note(Slip { line, mistake: Mistake::Misplaced(format!("{OURS}{text}")) });
        }
        Ok(())
    }

    /// The annotations that are for this program; all may be missing.
    pub(super) fn annotations(&mut self) -> Result<Vec<AnnotationTree>, Slip> {
        let mut ours = Vec::new();
        if !self.eat('(') {
            return Ok(ours);
        }
        while !self.eat(')') {
            let mut name = self.name("the name of an annotation or ')'")?;
            let is_valued = self.eat('=');
            match name.text.strip_prefix(OURS).map(str::to_owned) {
                None if is_valued => self.value()?,
                None => {}
                Some(bare) => {
                    name.text = bare;
                    let value = is_valued.then(|| self.text("a value in quotes")).transpose()?;
                    ours.push(AnnotationTree { name, value: value.map(|value| unescaped(&value.text)) });
                }
            }
            self.separator();
        }
        Ok(ours)
    }

    /// Skips a value: one word, or everything between brackets.
    pub(super) fn value(&mut self) -> Result<(), Slip> {
        let mut open = 0_usize;
        loop {
            match self.ahead.lexeme {
                Lexeme::Symbol('[' | '{') => open += 1,
                Lexeme::Symbol(']' | '}') if open > 0 => open -= 1,
                Lexeme::Symbol(_) if open == 0 => return Err(self.unexpected("a value")),
                Lexeme::End => return Err(self.unexpected("a value")),
                Lexeme::Symbol(_) | Lexeme::Name(_) | Lexeme::Text(_) => {}
                Lexeme::Integer(_) | Lexeme::Decimal => {}
            }
            self.take();
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// Skips a name or a text.
    pub(super) fn scalar(&mut self) -> Result<(), Slip> {
        match self.ahead.lexeme {
            Lexeme::Name(_) | Lexeme::Text(_) => {
                self.take();
                Ok(())
            }
            Lexeme::Integer(_) | Lexeme::Decimal | Lexeme::Symbol(_) | Lexeme::End => {
                Err(self.unexpected("a name"))
            }
        }
    }

    pub(super) fn name(&mut self, expected: &'static str) -> Result<Name, Slip> {
        let line = self.ahead.line;
        if let Lexeme::Name(text) = self.ahead.lexeme {
            self.take();
            return Ok(Name { text: text.to_owned(), line });
        }
        Err(self.unexpected(expected))
    }

    pub(super) fn text(&mut self, expected: &'static str) -> Result<Name, Slip> {
        let line = self.ahead.line;
        if let Lexeme::Text(text) = self.ahead.lexeme {
            self.take();
            return Ok(Name { text: text.to_owned(), line });
        }
        Err(self.unexpected(expected))
    }

    pub(super) fn integer(&mut self) -> Result<i64, Slip> {
        self.number().ok_or_else(|| self.unexpected("a number"))
    }

    /// Takes an integer if one is ahead.
    pub(super) fn number(&mut self) -> Option<i64> {
        let Lexeme::Integer(number) = self.ahead.lexeme else {
            return None;
        };
        self.take();
        Some(number)
    }

    pub(super) fn expect(&mut self, symbol: char, expected: &'static str) -> Result<(), Slip> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    pub(super) fn eat(&mut self, symbol: char) -> bool {
        let there = self.ahead.lexeme == Lexeme::Symbol(symbol);
        if there {
            self.take();
        }
        there
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let there = self.ahead.lexeme == Lexeme::Name(word);
        if there {
            self.take();
        }
        there
    }

    fn take(&mut self) {
        match self.ahead.lexeme {
            Lexeme::Symbol('(') => self.parentheses += 1,
            Lexeme::Symbol(')') => self.parentheses = self.parentheses.saturating_sub(1),
            Lexeme::Symbol(_) | Lexeme::Name(_) | Lexeme::Text(_) | Lexeme::Integer(_) => {}
            Lexeme::Decimal | Lexeme::End => {}
        }
        self.taken += 1;
        self.ahead = self.lexer.next();
    }

    pub(super) fn unexpected(&self, expected: &'static str) -> Slip {
        let found = self.ahead.lexeme.describe();
        Slip { line: self.ahead.line, mistake: Mistake::Unexpected { expected, found } }
    }

    pub(super) fn note(&mut self, slip: Slip) {
        if self.lexer.slips.len() < PROBLEMS {
            self.lexer.slips.push(slip);
        }
    }
}

/// What a quoted text means, its escapes being those of the Apache compiler.
fn unescaped(text: &str) -> String {
    let mut meant = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        match (escaped, c) {
            (false, '\\') => {
                escaped = true;
                continue;
            }
            (true, 'n') => meant.push('\n'),
            (true, 'r') => meant.push('\r'),
            (true, 't') => meant.push('\t'),
            (true | false, other) => meant.push(other),
        }
        escaped = false;
    }
    meant
}

/// What the names of annotations begin with that are for this program.
const OURS: &str = "larder.";

/// The words a definition starts with.
pub(super) const DEFINITIONS: [&str; 11] = [
    "include",
    "cpp_include",
    "namespace",
    "typedef",
    "const",
    "enum",
    "senum",
    "struct",
    "union",
    "exception",
    "service",
];
