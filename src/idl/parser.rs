//! Makes the tree of one `.thrift` file: recursive descent that goes on after a mistake at the next field, method or definition.

use super::cursor::{Cursor, DEFINITIONS};
use super::lexer::Slip;
use super::schema::{Requirement, StructureKind};
use super::syntax::{
    AliasTree, Document, EnumTree, FieldTree, MethodTree, Name, ServiceTree, StructureTree, TypeTree,
};
use super::{Mistake, TYPE_DEPTH};
use crate::setting::Nearest;

/// Parses the text of one file. The tree holds what could be understood; slips say what could not.
pub(super) fn parse(text: &str) -> (Document, Vec<Slip>) {
    let mut parser = Parser { at: Cursor::new(text), document: Document::default() };
    while !parser.at.end() {
        if let Err(slip) = parser.definition() {
            parser.at.note(slip);
            parser.at.skip_to_definition();
        }
    }
    (parser.document, parser.at.into_slips())
}

struct Parser<'a> {
    at: Cursor<'a>,
    document: Document,
}

impl Parser<'_> {
    fn definition(&mut self) -> Result<(), Slip> {
        let keyword = self.at.name("a definition")?;
        match keyword.text.as_str() {
            "include" => {
                let path = self.at.text("the path of a file in quotes")?;
                self.document.includes.push(path);
            }
            "cpp_include" => drop(self.at.text("the path of a file in quotes")?),
            "namespace" => self.namespace()?,
            "typedef" => self.alias()?,
            "const" => self.constant()?,
            "enum" => self.enumeration()?,
            "senum" => self.text_enumeration()?,
            "struct" => self.structure(StructureKind::Struct)?,
            "union" => self.structure(StructureKind::Union)?,
            "exception" => self.structure(StructureKind::Exception)?,
            "service" => self.service()?,
            word if OLD_NAMESPACES.contains(&word) => self.at.scalar()?,
            word => {
                let (name, nearest) = (word.to_owned(), Nearest::of(word, DEFINITIONS));
                let mistake = Mistake::Unknown { kind: "definition", name, nearest };
                return Err(Slip { line: keyword.line, mistake });
            }
        }
        self.at.ending()
    }

    fn namespace(&mut self) -> Result<(), Slip> {
        if !self.at.eat('*') {
            self.at.name("a language or *")?;
        }
        self.at.scalar()
    }

    fn alias(&mut self) -> Result<(), Slip> {
        let ty = self.ty(0)?;
        let name = self.at.name("the name of the typedef")?;
        self.document.aliases.push(AliasTree { name, ty });
        Ok(())
    }

    fn constant(&mut self) -> Result<(), Slip> {
        self.ty(0)?;
        self.at.name("the name of the constant")?;
        self.at.expect('=', "'=' and a value")?;
        self.at.value()
    }

    fn enumeration(&mut self) -> Result<(), Slip> {
        let name = self.at.name("the name of the enum")?;
        self.at.expect('{', "'{'")?;
        let mut constants = Vec::new();
        let mut next = Some(0);
        self.body(|parser| {
            let constant = parser.enum_constant(&mut next)?;
            constants.push(constant);
            Ok(())
        })?;
        self.document.enums.push(EnumTree { name, constants });
        Ok(())
    }

    fn enum_constant(&mut self, next: &mut Option<i32>) -> Result<(Name, i32), Slip> {
        let name = self.at.name("the name of an enum constant or '}'")?;
        if self.at.eat('=') {
            let line = self.at.line();
            let number = self.at.integer()?;
            *next = i32::try_from(number).ok();
            if next.is_none() {
                return Err(Slip { line, mistake: Mistake::NumberTooLarge(number.to_string()) });
            }
        }
        let beyond = Mistake::NumberTooLarge((i64::from(i32::MAX) + 1).to_string());
        let number = next.ok_or(Slip { line: name.line, mistake: beyond })?;
        *next = number.checked_add(1);
        self.at.ending()?;
        Ok((name, number))
    }

    fn text_enumeration(&mut self) -> Result<(), Slip> {
        let name = self.at.name("the name of the senum")?;
        self.at.expect('{', "'{'")?;
        self.body(|parser| {
            parser.at.text("a text in quotes or '}'")?;
            parser.at.ending()
        })?;
        self.document.aliases.push(AliasTree { name, ty: TypeTree::String });
        Ok(())
    }

    fn structure(&mut self, kind: StructureKind) -> Result<(), Slip> {
        let name = self.at.name("the name of the structure")?;
        self.at.eat_word("xsd_all");
        self.at.expect('{', "'{'")?;
        let mut fields = Vec::new();
        let mut unnumbered = FIRST_UNNUMBERED;
        self.body(|parser| {
            let mut field = parser.field(&mut unnumbered)?;
            if kind == StructureKind::Union {
                field.requirement = Requirement::Optional;
            }
            fields.push(field);
            Ok(())
        })?;
        self.document.structures.push(StructureTree { name, kind, fields });
        Ok(())
    }

    fn service(&mut self) -> Result<(), Slip> {
        let name = self.at.name("the name of the service")?;
        let extends =
            if self.at.eat_word("extends") { Some(self.at.name("the service it extends")?) } else { None };
        self.at.expect('{', "'{'")?;
        let mut methods = Vec::new();
        self.body(|parser| {
            let method = parser.method()?;
            methods.push(method);
            Ok(())
        })?;
        self.document.services.push(ServiceTree { name, extends, methods });
        Ok(())
    }

    fn method(&mut self) -> Result<MethodTree, Slip> {
        let oneway = self.at.eat_word("oneway") || self.at.eat_word("async");
        let returns = if self.at.eat_word("void") {
            self.at.annotations_of_others()?;
            None
        } else {
            Some(self.ty(0)?)
        };
        let name = self.at.name("the name of the method")?;
        self.at.expect('(', "'(' and the arguments")?;
        let arguments = self.fields(')')?;
        let throws = if self.at.eat_word("throws") {
            self.at.expect('(', "'(' and the exceptions")?;
            self.fields(')')?
        } else {
            Vec::new()
        };
        let annotations = self.at.annotations()?;
        self.at.separator();
        Ok(MethodTree { name, oneway, returns, arguments, throws, annotations })
    }

    /// The items of a braced body up to its brace. A broken item is noted, and parsing goes on where the next seems to start.
    fn body(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Slip>) -> Result<(), Slip> {
        loop {
            if self.at.eat('}') {
                return Ok(());
            }
            if self.at.end() {
                return Err(self.at.unexpected("'}'"));
            }
            let before = self.at.taken();
            let Err(slip) = item(self) else { continue };
            self.at.note(slip);
            self.at.skip_to_item(before);
            if self.at.at_definition() {
                return Ok(());
            }
        }
    }

    fn fields(&mut self, close: char) -> Result<Vec<FieldTree>, Slip> {
        let mut fields = Vec::new();
        let mut unnumbered = FIRST_UNNUMBERED;
        while !self.at.eat(close) {
            fields.push(self.field(&mut unnumbered)?);
        }
        Ok(fields)
    }

    fn field(&mut self, unnumbered: &mut i64) -> Result<FieldTree, Slip> {
        let line = self.at.line();
        let id = self.field_id(unnumbered)?;
        let requirement = if self.at.eat_word("required") {
            Requirement::Required
        } else if self.at.eat_word("optional") {
            Requirement::Optional
        } else {
            Requirement::Default
        };
        let ty = self.ty(0)?;
        self.at.eat('&');
        let name = self.at.name("the name of the field")?;
        if self.at.eat('=') {
            self.at.value()?;
        }
        self.at.eat_word("xsd_optional");
        self.at.eat_word("xsd_nillable");
        if self.at.eat_word("xsd_attrs") {
            self.at.value()?;
        }
        let annotations = self.at.annotations()?;
        self.at.separator();
        let beyond = || Mistake::IdOutOfRange { id, name: name.text.clone() };
        let id = i16::try_from(id).map_err(|_| Slip { line, mistake: beyond() })?;
        Ok(FieldTree { id, name, ty, requirement, annotations })
    }

    /// The Apache compiler counts fields without an id, and those with an id below 1, downwards from -1.
    fn field_id(&mut self, unnumbered: &mut i64) -> Result<i64, Slip> {
        if let Some(id) = self.at.number() {
            self.at.expect(':', "':' after the field id")?;
            if id > 0 {
                return Ok(id);
            }
        }
        let id = *unnumbered;
        *unnumbered -= 1;
        Ok(id)
    }

    fn ty(&mut self, depth: usize) -> Result<TypeTree, Slip> {
        if depth >= TYPE_DEPTH {
            let mistake = Mistake::TooDeep { what: "type", limit: TYPE_DEPTH };
            return Err(Slip { line: self.at.line(), mistake });
        }
        let name = self.at.name("a type")?;
        let ty = match name.text.as_str() {
            "bool" => TypeTree::Bool,
            "byte" | "i8" => TypeTree::Byte,
            "i16" => TypeTree::I16,
            "i32" => TypeTree::I32,
            "i64" => TypeTree::I64,
            "double" => TypeTree::Double,
            "string" | "slist" => TypeTree::String,
            "binary" => TypeTree::Binary,
            "uuid" => TypeTree::Uuid,
            "list" => TypeTree::List(self.element('>', depth)?),
            "set" => TypeTree::Set(self.element('>', depth)?),
            "map" => {
                let key = self.element(',', depth)?;
                let value = Box::new(self.ty(depth + 1)?);
                self.at.expect('>', "'>'")?;
                TypeTree::Map(key, value)
            }
            _ => TypeTree::Named(name),
        };
        self.cpp_type()?;
        self.at.annotations_of_others()?;
        Ok(ty)
    }

    fn element(&mut self, close: char, depth: usize) -> Result<Box<TypeTree>, Slip> {
        self.cpp_type()?;
        self.at.expect('<', "'<' and the type of the elements")?;
        let element = self.ty(depth + 1)?;
        self.at.expect(close, if close == ',' { "',' and the type of the values" } else { "'>'" })?;
        Ok(Box::new(element))
    }

    fn cpp_type(&mut self) -> Result<(), Slip> {
        if self.at.eat_word("cpp_type") {
            self.at.text("a C++ type in quotes")?;
        }
        Ok(())
    }
}

/// The id of the first field that has none.
const FIRST_UNNUMBERED: i64 = -1;

/// What namespaces were called before `namespace`.
const OLD_NAMESPACES: [&str; 12] = [
    "cocoa_prefix",
    "cpp_namespace",
    "csharp_namespace",
    "delphi_namespace",
    "java_package",
    "perl_package",
    "php_namespace",
    "py_module",
    "ruby_namespace",
    "smalltalk_category",
    "smalltalk_prefix",
    "xsd_namespace",
];
