//! The tree of one `.thrift` file as it is written: names are not resolved.

use super::schema::{Requirement, StructureKind};

/// What one file defines. Namespaces, constants, default values and the annotations that others read do not reach it.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) includes: Vec<Name>,
    pub(super) aliases: Vec<AliasTree>,
    pub(super) enums: Vec<EnumTree>,
    pub(super) structures: Vec<StructureTree>,
    pub(super) services: Vec<ServiceTree>,
}

/// A name or path and its line.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) line: u32,
}

/// An annotation for this program: `larder.ttl = "30s"`.
#[derive(Debug, Clone)]
pub(super) struct AnnotationTree {
    /// Without `larder.`.
    pub(super) name: Name,
    /// None where it has no value.
    pub(super) value: Option<String>,
}

/// `typedef type name`; `senum` too, which stands for a string.
#[derive(Debug)]
pub(super) struct AliasTree {
    pub(super) name: Name,
    pub(super) ty: TypeTree,
}

#[derive(Debug)]
pub(super) struct EnumTree {
    pub(super) name: Name,
    pub(super) constants: Vec<(Name, i32)>,
}

#[derive(Debug)]
pub(super) struct StructureTree {
    pub(super) name: Name,
    pub(super) kind: StructureKind,
    pub(super) fields: Vec<FieldTree>,
}

#[derive(Debug)]
pub(super) struct FieldTree {
    pub(super) id: i16,
    pub(super) name: Name,
    pub(super) ty: TypeTree,
    pub(super) requirement: Requirement,
    pub(super) annotations: Vec<AnnotationTree>,
}

#[derive(Debug)]
pub(super) struct ServiceTree {
    pub(super) name: Name,
    pub(super) extends: Option<Name>,
    pub(super) methods: Vec<MethodTree>,
}

#[derive(Debug)]
pub(super) struct MethodTree {
    pub(super) name: Name,
    pub(super) oneway: bool,
    pub(super) returns: Option<TypeTree>,
    pub(super) arguments: Vec<FieldTree>,
    pub(super) throws: Vec<FieldTree>,
    pub(super) annotations: Vec<AnnotationTree>,
}

/// A type as written.
#[derive(Debug)]
pub(super) enum TypeTree {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Double,
    String,
    Binary,
    Uuid,
    Named(Name),
    List(Box<Self>),
    Set(Box<Self>),
    Map(Box<Self>, Box<Self>),
}
