//! Thrift IDL: what the services, methods and types of a set of `.thrift` files are called, and what they hold.
//!
//! The way of a file: `lexer` cuts text into words, `parser` makes the tree described in `syntax`, `source` follows the
//! includes, `resolve` gives every name its meaning, and the result is a [`Schema`]. `value` turns JSON into Thrift bytes
//! by such a schema, and back. Nothing here opens files or sockets: the caller hands in the reader.

use std::path::PathBuf;

use crate::setting::Nearest;

mod cursor;
mod includes;
mod lexer;
mod load;
mod parser;
mod resolve;
mod schema;
mod source;
mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod value;

pub use schema::Schema;
pub(crate) use schema::{Annotation, Field, Method, Place, Service, StructId, Type, UnknownName};

/// One thing wrong in a `.thrift` file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {mistake}", file.display())]
pub struct Problem {
    /// The file as the reader was asked for it.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong there.
    pub mistake: Mistake,
}

/// What can be wrong in a `.thrift` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Two names in one place that must differ.
    #[error("{kind} {name} is already defined in line {first}")]
    Defined {
        /// What both are: a type, a method, a field.
        kind: &'static str,
        /// Their name.
        name: String,
        /// Where the first stands.
        first: u32,
    },
    /// A file beyond what is read.
    #[error("file of {length} bytes is over the limit of {}", FILE_BYTES)]
    FileTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A field id, given or counted, that no message can carry.
    #[error("field id {id} of {name} is outside -32768 to 32767")]
    IdOutOfRange {
        /// The id.
        id: i64,
        /// The field.
        name: String,
    },
    /// Two fields of one list with the same id.
    #[error("field id {id} of {name} is already taken by {other}")]
    IdTaken {
        /// The id.
        id: i16,
        /// The second field.
        name: String,
        /// The first field.
        other: String,
    },
    /// A number that does not fit where it stands.
    #[error("number {0} does not fit")]
    NumberTooLarge(String),
    /// A oneway method that declares exceptions, which nobody could be told.
    #[error("oneway method {0} cannot have exceptions")]
    OnewayThrows(String),
    /// A oneway method that declares a result, which nobody gets.
    #[error("oneway method {0} has a result that no client gets")]
    OnewayReturns(String),
    /// A file that is included twice by the same one.
    #[error("{path} is already included in line {first}")]
    IncludedTwice {
        /// The file, as it is written.
        path: String,
        /// Where the first stands.
        first: u32,
    },
    /// A file that includes, by whatever way, the one that includes it.
    #[error("{0} includes this file in turn, which not every compiler takes")]
    IncludedInCircle(String),
    /// A file that was found nowhere. Where nothing of it is used, that is no more than unwise.
    #[error("cannot read {path}: {reason}; looked in {}", folders.join(", "))]
    NotIncluded {
        /// The file, as it is written.
        path: String,
        /// Why it cannot be read.
        reason: String,
        /// Where it was looked for.
        folders: Vec<String>,
    },
    /// An annotation for this program where it means nothing.
    #[error("{0} means nothing here: expected it behind a method or a field")]
    Misplaced(String),
    /// A chain of typedefs or of extends that comes back to itself.
    #[error("{kind} {name} leads back to itself")]
    Circular {
        /// A typedef or a service.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Throws holds something that is not an exception.
    #[error("{name} of method {method} is not an exception")]
    NotAnException {
        /// The method.
        method: String,
        /// The field in its throws.
        name: String,
    },
    /// Types in types, typedefs of typedefs or extends of extends beyond the bound.
    #[error("{what} nested deeper than {limit}")]
    TooDeep {
        /// What is nested.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// One file too many.
    #[error("more than {} files are included", FILES)]
    TooManyFiles,
    /// A type that grows too large when its typedefs are written out.
    #[error("type of {size} parts is over the limit of {}", TYPE_PARTS)]
    TypeTooLarge {
        /// How many parts it has.
        size: usize,
    },
    /// A comment or text that the file ends in.
    #[error("{0} is not closed")]
    Unclosed(&'static str),
    /// A character that has no meaning in IDL.
    #[error("unexpected character {0:?}")]
    UnexpectedCharacter(char),
    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What was expected.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A name that nothing has.
    #[error("unknown {kind} {name}{nearest}")]
    Unknown {
        /// What was looked for: a type, a service.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest name there is.
        nearest: Nearest,
    },
    /// A file that could not be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Levels of nesting in values: the limit of the Apache libraries. No chain of extends is longer either.
const DEPTH: usize = 64;

/// Levels of nesting in the types and typedefs of a file. No library reads a value of so many, but what is declared need not be sent.
const TYPE_DEPTH: usize = 256;

/// The longest file that is read, in bytes; the longest public ones are below 1 MiB.
const FILE_BYTES: usize = 4 << 20;

/// The most files one schema may be made of.
const FILES: usize = 1000;

/// The most problems that are reported at once.
const PROBLEMS: usize = 100;

/// The most parts a type may have when written out: typedefs of maps of typedefs double at every step.
const TYPE_PARTS: usize = 256;
