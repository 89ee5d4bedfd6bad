//! Gives types their meaning: names looked up, typedefs written out.

use super::{Alias, Meaning, Resolver};
use crate::idl::schema::Type;
use crate::idl::syntax::{Name, TypeTree};
use crate::idl::{Mistake, TYPE_DEPTH, TYPE_PARTS};
use crate::setting::Nearest;

impl<'a> Resolver<'a> {
    /// The type a tree stands for; none if something in it is wrong, which is noted.
    pub(super) fn ty(&mut self, file: usize, tree: &TypeTree, depth: usize) -> Option<Type> {
        let ty = match tree {
            TypeTree::Bool => Type::Bool,
            TypeTree::Byte => Type::Byte,
            TypeTree::I16 => Type::I16,
            TypeTree::I32 => Type::I32,
            TypeTree::I64 => Type::I64,
            TypeTree::Double => Type::Double,
            TypeTree::String => Type::String,
            TypeTree::Binary => Type::Binary,
            TypeTree::Uuid => Type::Uuid,
            TypeTree::Named(name) => self.named(file, name, depth)?,
            TypeTree::List(element) => Type::List(Box::new(self.ty(file, element, depth + 1)?)),
            TypeTree::Set(element) => Type::Set(Box::new(self.ty(file, element, depth + 1)?)),
            TypeTree::Map(key, value) => {
                let key = Box::new(self.ty(file, key, depth + 1)?);
                Type::Map(key, Box::new(self.ty(file, value, depth + 1)?))
            }
        };
        Some(ty)
    }

    fn named(&mut self, file: usize, name: &Name, depth: usize) -> Option<Type> {
        let (home, bare) = self.home(file, "type", name)?;
        let scope =
            home.iter().find_map(|file| Some((*file, self.scopes.get(*file)?.types.get_key_value(bare)?)));
        let Some((home_file, (known, meaning))) = scope else {
            let scopes = home.iter().filter_map(|file| self.scopes.get(*file));
            let names = scopes.flat_map(|scope| scope.types.keys().copied());
            let nearest = Nearest::of(bare, names.chain(BASE_TYPES));
            self.unknown(file, "type", name, nearest, &home);
            return None;
        };
        match *meaning {
            Meaning::Enum(id) => Some(Type::Enum(id)),
            Meaning::Struct(id) => Some(Type::Struct(id)),
            Meaning::Alias(tree) => self.alias((home_file, *known), tree, file, name.line, depth),
        }
    }

    fn alias(
        &mut self,
        key: (usize, &'a str),
        tree: &'a TypeTree,
        file: usize,
        line: u32,
        depth: usize,
    ) -> Option<Type> {
        let mistake = match self.aliases.get(&key) {
            Some(Alias::Known(ty)) => return Some(ty.clone()),
            Some(Alias::Wrong) => return None,
            Some(Alias::Open) => Mistake::Circular { kind: "typedef", name: key.1.to_owned() },
            None if depth >= TYPE_DEPTH => Mistake::TooDeep { what: "typedef", limit: TYPE_DEPTH },
            None => {
                self.aliases.insert(key, Alias::Open);
                let ty = self.ty(key.0, tree, depth + 1).filter(|ty| self.fits(key.0, ty, line));
                self.aliases.insert(key, ty.clone().map_or(Alias::Wrong, Alias::Known));
                return ty;
            }
        };
        self.problem(file, line, mistake);
        None
    }

    /// Whether a typedef is small enough to be written out wherever it is used.
    fn fits(&mut self, file: usize, ty: &Type, line: u32) -> bool {
        let size = parts(ty);
        if size > TYPE_PARTS {
            self.problem(file, line, Mistake::TypeTooLarge { size });
        }
        size <= TYPE_PARTS
    }
}

/// How many words a type takes when written out.
fn parts(ty: &Type) -> usize {
    match ty {
        Type::List(element) | Type::Set(element) => 1 + parts(element),
        Type::Map(key, value) => 1 + parts(key) + parts(value),
        Type::Bool | Type::Byte | Type::I16 | Type::I32 | Type::I64 | Type::Double => 1,
        Type::String | Type::Binary | Type::Uuid | Type::Enum(_) | Type::Struct(_) => 1,
    }
}

/// Names of types that need no definition.
const BASE_TYPES: [&str; 13] =
    ["bool", "byte", "i8", "i16", "i32", "i64", "double", "string", "binary", "uuid", "list", "set", "map"];
