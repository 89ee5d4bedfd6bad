//! Gives every name in the parsed files its meaning.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::schema::{
    Annotation, Enum, EnumId, Field, Method, Parts, Place, Schema, Service, StructId, Structure,
    StructureKind, Type,
};
use super::source::{Included, Source, Sources, Wholeness};
use super::syntax::{AnnotationTree, FieldTree, MethodTree, Name, ServiceTree, TypeTree};
use super::{DEPTH, Mistake, PROBLEMS, Problem, includes};
use crate::setting::Nearest;

mod types;

/// Resolves all files, or says what is wrong in them besides the problems known before.
pub(super) fn resolve(read: Sources) -> Result<Schema, Vec<Problem>> {
    let Sources { files, problems } = read;
    let (scopes, aliases, needed) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    let mut resolver =
        Resolver { sources: &files, problems, scopes, aliases, needed, parts: Parts::default() };
    for (file, source) in files.iter().enumerate() {
        let scope = resolver.scope(file, source);
        resolver.scopes.push(scope);
    }
    for (file, source) in files.iter().enumerate() {
        resolver.structures(file, source);
    }
    resolver.services();
    resolver.missing();
    let Resolver { mut problems, mut parts, .. } = resolver;
    parts.warnings.extend(includes::warnings(&files));
    let order = |problem: &Problem| files.iter().position(|source| source.path == problem.file);
    problems.sort_by_key(|problem| (order(problem), problem.line));
    parts.warnings.sort_by_key(|problem| (order(problem), problem.line));
    parts.warnings.truncate(PROBLEMS);
    if problems.is_empty() { Ok(Schema::new(parts)) } else { Err(problems) }
}

struct Resolver<'a> {
    sources: &'a [Source],
    problems: Vec<Problem>,
    scopes: Vec<Scope<'a>>,
    /// Typedefs by file and name: being resolved, resolved, or wrong.
    aliases: BTreeMap<(usize, &'a str), Alias>,
    /// Missing files of which something is used, by the file that includes them and their place there.
    needed: BTreeSet<(usize, usize)>,
    parts: Parts,
}

/// What the names of one file mean.
#[derive(Default)]
struct Scope<'a> {
    types: BTreeMap<&'a str, Meaning<'a>>,
    /// By number of the service in its file.
    services: BTreeMap<&'a str, usize>,
    /// The number of the first structure.
    structures_from: usize,
}

#[derive(Clone, Copy)]
enum Meaning<'a> {
    Alias(&'a TypeTree),
    Enum(EnumId),
    Struct(StructId),
}

enum Alias {
    Open,
    Known(Type),
    Wrong,
}

/// A service by its file and its number there.
type ServiceKey = (usize, usize);

/// What a service itself says.
struct Own {
    methods: Vec<Method>,
    extends: Option<ServiceKey>,
}

impl<'a> Resolver<'a> {
    /// Numbers the definitions of a file and notes those that stand twice.
    fn scope(&mut self, file: usize, source: &'a Source) -> Scope<'a> {
        let document = &source.document;
        let structures_from = self.parts.structures.len();
        let mut types: Vec<(&'a Name, Meaning<'a>)> = Vec::new();
        types.extend(document.aliases.iter().map(|alias| (&alias.name, Meaning::Alias(&alias.ty))));
        for tree in &document.enums {
            types.push((&tree.name, Meaning::Enum(EnumId(self.parts.enums.len()))));
            self.once(file, "enum constant", tree.constants.iter().map(|(name, _)| name));
            let constants =
                tree.constants.iter().map(|(name, number)| (name.text.clone(), *number)).collect();
            self.parts.enums.push(Enum { name: tree.name.text.clone(), constants });
        }
        for tree in &document.structures {
            types.push((&tree.name, Meaning::Struct(StructId(self.parts.structures.len()))));
            let (name, kind) = (tree.name.text.clone(), tree.kind);
            self.parts.structures.push(Structure { name, kind, fields: Vec::new() });
        }
        types.sort_by_key(|(name, _)| name.line);
        self.once(file, "type", types.iter().map(|(name, _)| *name));
        self.once(file, "service", document.services.iter().map(|service| &service.name));
        let types = types.into_iter().map(|(name, meaning)| (name.text.as_str(), meaning)).collect();
        let services = document.services.iter().enumerate();
        let services = services.map(|(number, service)| (service.name.text.as_str(), number)).collect();
        Scope { types, services, structures_from }
    }

    fn structures(&mut self, file: usize, source: &'a Source) {
        for alias in &source.document.aliases {
            self.ty(file, &TypeTree::Named(alias.name.clone()), 0);
        }
        let first = self.scopes.get(file).map_or(0, |scope| scope.structures_from);
        for (number, tree) in (first..).zip(&source.document.structures) {
            let fields = self.fields(file, &tree.fields);
            if let Some(structure) = self.parts.structures.get_mut(number) {
                structure.fields = fields;
            }
        }
    }

    fn services(&mut self) {
        let mut all: BTreeMap<ServiceKey, Own> = BTreeMap::new();
        for (file, source) in self.sources.iter().enumerate() {
            for (number, tree) in source.document.services.iter().enumerate() {
                self.once(file, "method", tree.methods.iter().map(|method| &method.name));
                let methods = tree.methods.iter().filter_map(|method| self.method(file, method)).collect();
                let extends = tree.extends.as_ref().and_then(|name| self.service(file, name));
                all.insert((file, number), Own { methods, extends });
            }
        }
        for (file, source) in self.sources.iter().enumerate() {
            for (number, tree) in source.document.services.iter().enumerate() {
                let methods = self.inherited((file, number), tree, &all);
                let name = tree.name.text.clone();
                self.parts.services.entry(name.clone()).or_insert(Service { name, methods });
            }
        }
    }

    /// The methods of a service and of those it extends.
    fn inherited(
        &mut self,
        service: ServiceKey,
        tree: &ServiceTree,
        all: &BTreeMap<ServiceKey, Own>,
    ) -> BTreeMap<String, Method> {
        let mut methods = BTreeMap::new();
        let mut at = Some(service);
        for _ in 0..DEPTH {
            let Some(own) = at.and_then(|service| all.get(&service)) else {
                return methods;
            };
            for method in &own.methods {
                methods.entry(method.name.clone()).or_insert_with(|| method.clone());
            }
            at = own.extends;
            if at == Some(service) {
                let name = tree.name.text.clone();
                self.problem(service.0, tree.name.line, Mistake::Circular { kind: "service", name });
                return methods;
            }
        }
        let mistake = Mistake::TooDeep { what: "extends", limit: DEPTH };
        self.problem(service.0, tree.name.line, mistake);
        methods
    }

    fn method(&mut self, file: usize, tree: &MethodTree) -> Option<Method> {
        let name = tree.name.text.clone();
        let arguments = self.fields(file, &tree.arguments);
        let throws = self.fields(file, &tree.throws);
        for field in &throws {
            let structure = field.ty.structure().and_then(|id| self.parts.structures.get(id.0));
            if structure.is_none_or(|structure| structure.kind != StructureKind::Exception) {
                let mistake = Mistake::NotAnException { method: name.clone(), name: field.name.clone() };
                self.problem(file, tree.name.line, mistake);
            }
        }
        if tree.oneway && !tree.throws.is_empty() {
            self.problem(file, tree.name.line, Mistake::OnewayThrows(name.clone()));
        }
        if tree.oneway && tree.returns.is_some() {
            self.warning(file, tree.name.line, Mistake::OnewayReturns(name.clone()));
        }
        let returns = match &tree.returns {
            Some(ty) => Some(self.ty(file, ty, 0)?),
            None => None,
        };
        let returns = returns.filter(|_| !tree.oneway);
        let annotations = self.annotations(file, &tree.annotations);
        Some(Method { name, oneway: tree.oneway, arguments, returns, throws, annotations })
    }

    fn fields(&mut self, file: usize, trees: &[FieldTree]) -> Vec<Field> {
        self.once(file, "field", trees.iter().map(|field| &field.name));
        let mut ids: BTreeMap<i16, &Name> = BTreeMap::new();
        let mut fields = Vec::new();
        for tree in trees {
            let name = tree.name.text.clone();
            if let Some(other) = ids.insert(tree.id, &tree.name) {
                let other = other.text.clone();
                self.problem(
                    file,
                    tree.name.line,
                    Mistake::IdTaken { id: tree.id, name: name.clone(), other },
                );
            }
            if let Some(ty) = self.ty(file, &tree.ty, 0) {
                let annotations = self.annotations(file, &tree.annotations);
                fields.push(Field { id: tree.id, name, ty, requirement: tree.requirement, annotations });
            }
        }
        fields
    }

    fn annotations(&self, file: usize, trees: &[AnnotationTree]) -> Vec<Annotation> {
        let annotation = |AnnotationTree { name, value }: &AnnotationTree| {
            let file = Arc::from(self.sources.get(file)?.path.as_path());
            let place = Place { file, line: name.line };
            Some(Annotation { name: name.text.clone(), value: value.clone(), place })
        };
        trees.iter().filter_map(annotation).collect()
    }

    fn service(&mut self, file: usize, name: &Name) -> Option<ServiceKey> {
        let (home, bare) = self.home(file, "service", name)?;
        for file in &home {
            if let Some(number) = self.scopes.get(*file).and_then(|scope| scope.services.get(bare)) {
                return Some((*file, *number));
            }
        }
        let scopes = home.iter().filter_map(|file| self.scopes.get(*file));
        let nearest = Nearest::of(bare, scopes.flat_map(|scope| scope.services.keys().copied()));
        self.unknown(file, "service", name, nearest, &home);
        None
    }

    /// The files a name may be defined in, and the name without their prefix. Several included files may share a prefix; one that
    /// is missing may have the name, so nothing else is said of it then.
    fn home<'n>(&mut self, file: usize, kind: &'static str, name: &'n Name) -> Option<(Vec<usize>, &'n str)> {
        let Some((prefix, bare)) = name.text.rsplit_once('.') else {
            return Some((vec![file], name.text.as_str()));
        };
        let includes = self.sources.get(file).map_or(&[][..], |source| source.includes.as_slice());
        let named = includes.iter().enumerate().filter(|(_, include)| include.prefix == prefix);
        let (mut files, mut is_known) = (Vec::new(), true);
        for (place, include) in named {
            match include.file {
                Included::There(file) => files.push(file),
                Included::Missing(_) => {
                    self.needed.insert((file, place));
                    is_known = false;
                }
                Included::Refused => is_known = false,
            }
        }
        if files.is_empty() && is_known {
            let nearest = Nearest::of(prefix, includes.iter().map(|include| include.prefix.as_str()));
            let nearest = Nearest(nearest.0.map(|prefix| format!("{prefix}.{bare}")));
            self.unknown(file, kind, name, nearest, &[file]);
            return None;
        }
        is_known.then_some((files, bare))
    }

    /// Notes the includes that were found nowhere: what is used of them has no meaning, and the rest is no more than unwise.
    fn missing(&mut self) {
        for (file, source) in self.sources.iter().enumerate() {
            for (place, include) in source.includes.iter().enumerate() {
                let Included::Missing(mistake) = &include.file else { continue };
                match self.needed.contains(&(file, place)) {
                    true => self.problem(file, include.line, mistake.clone()),
                    false => self.warning(file, include.line, mistake.clone()),
                }
            }
        }
    }

    /// Notes a name that nothing has, unless the files it may be in were not understood in full.
    fn unknown(&mut self, file: usize, kind: &'static str, name: &Name, nearest: Nearest, homes: &[usize]) {
        let mut sources = homes.iter().filter_map(|home| self.sources.get(*home));
        if sources.all(|source| source.wholeness == Wholeness::Whole) {
            let mistake = Mistake::Unknown { kind, name: name.text.clone(), nearest };
            self.problem(file, name.line, mistake);
        }
    }

    /// Notes every name that stands there a second time.
    fn once<'n>(&mut self, file: usize, kind: &'static str, names: impl Iterator<Item = &'n Name>) {
        let mut known: BTreeMap<&str, u32> = BTreeMap::new();
        for name in names {
            let first = match known.entry(&name.text) {
                Entry::Vacant(place) => {
                    place.insert(name.line);
                    continue;
                }
                Entry::Occupied(place) => *place.get(),
            };
            self.problem(file, name.line, Mistake::Defined { kind, name: name.text.clone(), first });
        }
    }

    fn problem(&mut self, file: usize, line: u32, mistake: Mistake) {
        if self.problems.len() < PROBLEMS {
            self.problems.extend(self.found(file, line, mistake));
        }
    }

    fn warning(&mut self, file: usize, line: u32, mistake: Mistake) {
        if self.parts.warnings.len() < PROBLEMS {
            let found = self.found(file, line, mistake);
            self.parts.warnings.extend(found);
        }
    }

    fn found(&self, file: usize, line: u32, mistake: Mistake) -> Option<Problem> {
        self.sources.get(file).map(|source| Problem { file: source.path.clone(), line, mistake })
    }
}
