//! What a set of `.thrift` files says, every name resolved.

mod path;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::Problem;
use crate::setting::Nearest;

/// The services, structures and enums of a `.thrift` file and of all it includes. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Schema {
    parts: Arc<Parts>,
}

impl Schema {
    /// The schema that has these parts.
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// The service of that name. Those of included files are found too; of two with one name the one nearer to the root file.
    #[must_use]
    pub(crate) fn service(&self, name: &str) -> Option<&Service> {
        self.parts.services.get(name)
    }

    /// The same, for somebody who expects it.
    ///
    /// # Errors
    ///
    /// [`UnknownName::Service`] if there is none of that name.
    pub(crate) fn named(&self, name: &str) -> Result<&Service, UnknownName> {
        let unknown = || {
            let nearest = Nearest::of(name, self.services().map(|service| service.name.as_str()));
            UnknownName::Service { name: name.to_owned(), nearest }
        };
        self.service(name).ok_or_else(unknown)
    }

    /// What is legal in its files, and unwise.
    pub(crate) fn warnings(&self) -> &[Problem] {
        &self.parts.warnings
    }

    /// All services, in the order of their names.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.parts.services.values()
    }

    /// The struct, union or exception a type of this schema names.
    ///
    /// # Panics
    ///
    /// May, with an id of another schema.
    #[must_use]
    pub(crate) fn structure(&self, id: StructId) -> &Structure {
        self.parts.structures.get(id.0).expect("ids are only made for structures of their schema")
    }

    /// All structs, unions and exceptions.
    pub(crate) fn structures(&self) -> impl Iterator<Item = (StructId, &Structure)> {
        self.parts.structures.iter().enumerate().map(|(number, structure)| (StructId(number), structure))
    }

    /// The enum a type of this schema names.
    ///
    /// # Panics
    ///
    /// May, with an id of another schema.
    #[must_use]
    pub(crate) fn enumeration(&self, id: EnumId) -> &Enum {
        self.parts.enums.get(id.0).expect("ids are only made for enums of their schema")
    }

    /// What people call a type: `i64`, `struct User`, `map`.
    pub(super) fn type_name(&self, ty: &Type) -> String {
        let plain = match ty {
            Type::Bool => "bool",
            Type::Byte => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::Double => "double",
            Type::String => "string",
            Type::Binary => "binary",
            Type::Uuid => "uuid",
            Type::List(_) => "list",
            Type::Set(_) => "set",
            Type::Map(..) => "map",
            Type::Enum(id) => return format!("enum {}", self.enumeration(*id).name),
            Type::Struct(id) => {
                let structure = self.structure(*id);
                return format!("{} {}", structure.kind.word(), structure.name);
            }
        };
        plain.to_owned()
    }
}

/// What a schema is made of.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) structures: Vec<Structure>,
    pub(super) enums: Vec<Enum>,
    pub(super) warnings: Vec<Problem>,
}

/// A struct, union or exception of one [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StructId(pub(super) usize);

/// An enum of one [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EnumId(pub(super) usize);

/// A service with all its methods.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Service {
    /// Its name, without the prefix of a file.
    pub name: String,
    /// By name, those of the services it extends included.
    pub methods: BTreeMap<String, Method>,
}

impl Service {
    /// The method of that name.
    ///
    /// # Errors
    ///
    /// [`UnknownName::Method`] if there is none.
    pub(crate) fn named(&self, name: &str) -> Result<&Method, UnknownName> {
        let unknown = || {
            let nearest = Nearest::of(name, self.methods.keys().map(String::as_str));
            UnknownName::Method { service: self.name.clone(), name: name.to_owned(), nearest }
        };
        self.methods.get(name).ok_or_else(unknown)
    }
}

/// A method of a service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Method {
    /// Its name.
    pub name: String,
    /// Whether a call of it gets no reply.
    pub oneway: bool,
    /// The fields of a call.
    pub arguments: Vec<Field>,
    /// Field 0 of a reply; none for `void`.
    pub returns: Option<Type>,
    /// The other fields of a reply, each an exception.
    pub throws: Vec<Field>,
    /// What its annotations say to this program.
    pub annotations: Vec<Annotation>,
}

impl Method {
    /// The id of a declared exception, by the name of its field in `throws`, the name of its type, or its id.
    ///
    /// # Errors
    ///
    /// [`UnknownName::Exception`] if the method declares no such exception.
    pub(crate) fn exception(&self, schema: &Schema, name: &str) -> Result<i16, UnknownName> {
        let type_of = |field: &Field| field.ty.structure().map(|id| schema.structure(id).name.as_str());
        let bare = name.rsplit('.').next();
        let by_type = || self.throws.iter().find(|field| type_of(field) == bare);
        if let Some(field) = find(&self.throws, name).or_else(by_type) {
            return Ok(field.id);
        }
        let names = self.throws.iter().map(|field| field.name.as_str());
        let known = names.chain(self.throws.iter().filter_map(type_of));
        let nearest = Nearest::of(name, known);
        Err(UnknownName::Exception { method: self.name.clone(), name: name.to_owned(), nearest })
    }
}

/// A struct, union or exception.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Structure {
    /// Its name, without the prefix of a file.
    pub name: String,
    /// Which of the three it is.
    pub kind: StructureKind,
    /// As written.
    pub fields: Vec<Field>,
}

/// The kinds of structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StructureKind {
    /// Any of its fields may be there.
    Struct,
    /// Exactly one of its fields is there.
    Union,
    /// A struct that may stand in `throws`.
    Exception,
}

impl StructureKind {
    fn word(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Exception => "exception",
        }
    }
}

/// A field of a structure, or an argument, or an exception in `throws`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Given, or counted down from -1 where none above 0 is given.
    pub id: i16,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub ty: Type,
    /// Whether it may be left out.
    pub requirement: Requirement,
    /// What its annotations say to this program.
    pub annotations: Vec<Annotation>,
}

/// What an annotation says to this program: `larder.ttl = "30s"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// Its name without `larder.`.
    pub name: String,
    /// None where it has no value.
    pub value: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// A place in a `.thrift` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file as the reader was asked for it.
    pub file: Arc<Path>,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Whether a field may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Always written, and missed by readers.
    Required,
    /// May be left out; so is every field of a union.
    Optional,
    /// Neither word is given: written as a rule, not missed by readers.
    Default,
}

/// An enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enum {
    /// Its name, without the prefix of a file.
    pub name: String,
    /// Names and numbers, as written.
    pub constants: Vec<(String, i32)>,
}

/// What a field or an element holds, typedefs written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    /// `bool`.
    Bool,
    /// `byte` and `i8`.
    Byte,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `double`.
    Double,
    /// `string`, and the old `slist` and `senum`.
    String,
    /// `binary`.
    Binary,
    /// `uuid`.
    Uuid,
    /// An enum, `i32` on the wire.
    Enum(EnumId),
    /// A struct, union or exception.
    Struct(StructId),
    /// `list` of elements.
    List(Box<Self>),
    /// `set` of elements.
    Set(Box<Self>),
    /// `map` of keys to values.
    Map(Box<Self>, Box<Self>),
}

impl Type {
    /// The structures it is made of, at whatever depth.
    pub(crate) fn structures(&self) -> Vec<StructId> {
        match self {
            Self::Struct(id) => vec![*id],
            Self::List(element) | Self::Set(element) => element.structures(),
            Self::Map(key, value) => [key.structures(), value.structures()].concat(),
            Self::Bool | Self::Byte | Self::I16 | Self::I32 | Self::I64 | Self::Double => Vec::new(),
            Self::String | Self::Binary | Self::Uuid | Self::Enum(_) => Vec::new(),
        }
    }

    /// The structure it is, if it is one.
    #[must_use]
    pub(crate) fn structure(&self) -> Option<StructId> {
        match self {
            Self::Struct(id) => Some(*id),
            Self::Bool | Self::Byte | Self::I16 | Self::I32 | Self::I64 | Self::Double => None,
            Self::String | Self::Binary | Self::Uuid | Self::Enum(_) => None,
            Self::List(_) | Self::Set(_) | Self::Map(..) => None,
        }
    }
}

/// A name that the schema does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnknownName {
    /// No service of that name.
    #[error("the idl has no service {name}{nearest}")]
    Service {
        /// What was looked for.
        name: String,
        /// The nearest service.
        nearest: Nearest,
    },
    /// No method of that name.
    #[error("{service} has no method {name}{nearest}")]
    Method {
        /// Its service.
        service: String,
        /// What was looked for.
        name: String,
        /// The nearest method.
        nearest: Nearest,
    },
    /// No field of that name or id.
    #[error("{owner} has no field {name}{nearest}")]
    Field {
        /// The method or structure.
        owner: String,
        /// What was looked for.
        name: String,
        /// The nearest field.
        nearest: Nearest,
    },
    /// A step into a number, a text or a container.
    #[error("{owner} has no fields, so no {name}")]
    NoFields {
        /// The type.
        owner: String,
        /// What was looked for.
        name: String,
    },
    /// A path to something without a short spelling.
    #[error("{name:?} leads to {ty}: expected a number, a text, a bool or a uuid")]
    NoScalar {
        /// The path.
        name: String,
        /// What it leads to.
        ty: String,
    },
    /// No exception of that name, type or id.
    #[error("method {method} declares no exception {name}{nearest}")]
    Exception {
        /// The method.
        method: String,
        /// What was looked for.
        name: String,
        /// The nearest field in throws or type of one.
        nearest: Nearest,
    },
}

/// The field with that name, else with that id.
fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    let id = name.parse().ok();
    fields.iter().find(|field| field.name == name || Some(field.id) == id)
}
