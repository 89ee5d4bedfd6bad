//! What annotations of fields say of the calls and replies that hold them: `larder.ignore` leaves a field out of keys, `larder.tag = "user"`
//! makes a tag of it, such as `user:{id}`.

use std::collections::BTreeSet;

use crate::config::problem::Problem;
use crate::idl::{Annotation, Field, Method, Schema, StructId, Type};
use crate::rule::tagging::template::Template;
use crate::setting::Nearest;

/// What the fields of one method's calls and replies say, as options of its rule.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) ignore: Vec<String>,
    pub(super) tags: Vec<String>,
    /// Why tags are lacking that should be there.
    pub(super) untold: Vec<String>,
}

/// What the fields of a method's calls and replies say.
pub(super) fn words(schema: &Schema, method: &Method) -> Words {
    let marked = holding(schema, |field| !field.annotations.is_empty());
    let tagged = holding(schema, |field| field.annotations.iter().any(is_tag));
    let mut walk = Walk { schema, marked, tagged, words: Words::default(), open: Vec::new() };
    for field in &method.arguments {
        // A path that begins with `reply` would lead into the reply.
        let step = if field.name == "reply" { field.id.to_string() } else { field.name.clone() };
        walk.field(field, &step, Side::Call);
    }
    if let Some(ty) = &method.returns {
        walk.inside(ty, "reply", Side::Reply);
    }
    walk.words
}

/// Where a field is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// In a call, at one place.
    Call,
    /// In a call, as often as a list has elements: there is no leaving it out.
    Listed,
    Reply,
}

struct Walk<'a> {
    schema: &'a Schema,
    /// The structures that hold, at whatever depth, an annotated field.
    marked: BTreeSet<StructId>,
    /// Those that hold one of which a tag is made.
    tagged: BTreeSet<StructId>,
    words: Words,
    /// Those that lead to where the walk is.
    open: Vec<StructId>,
}

impl Walk<'_> {
    fn field(&mut self, field: &Field, path: &str, side: Side) {
        for annotation in &field.annotations {
            match (Word::of(annotation), side) {
                (Ok(Word::Ignore(true)), Side::Call) => return self.words.ignore.push(path.to_owned()),
                (Ok(Word::Tag(name)), _) => self.words.tags.push(format!("{name}:{{{path}}}")),
                (Ok(Word::Ignore(_)) | Err(_), _) => {}
            }
        }
        self.inside(&field.ty, path, side);
    }

    /// What is in a value of this type.
    fn inside(&mut self, ty: &Type, path: &str, side: Side) {
        match (ty.structure(), ty.innermost().structure()) {
            (Some(id), _) => self.structure(id, path, side),
            (None, Some(id)) if side == Side::Reply => self.structure(id, path, side),
            (None, Some(id)) => self.structure(id, path, Side::Listed),
            // What is left is a map, or holds nothing.
            (None, None) => self.unreachable(&ty.structures(), path),
        }
    }

    fn structure(&mut self, id: StructId, path: &str, side: Side) {
        if !self.marked.contains(&id) || self.words.tags.len() > TAGS || self.words.ignore.len() > IGNORED {
            return;
        }
        if self.open.contains(&id) {
            return self.unreachable(&[id], path);
        }
        self.open.push(id);
        let schema = self.schema;
        for field in &schema.structure(id).fields {
            self.field(field, &format!("{path}.{}", field.name), side);
        }
        self.open.pop();
    }

    /// Notes that tags would have to be made of these structures, if any would.
    fn unreachable(&mut self, structures: &[StructId], path: &str) {
        if structures.iter().any(|id| self.tagged.contains(id)) {
            let why = "no tags are made of what is in a map, or in a structure inside one of its kind";
            self.words.untold.push(format!("{path} holds a field with larder.tag: {why}"));
        }
    }
}

/// What an annotation of a field says.
#[derive(Debug, PartialEq, Eq)]
enum Word<'a> {
    Ignore(bool),
    Tag(&'a str),
}

impl<'a> Word<'a> {
    /// What this one says.
    ///
    /// # Errors
    /// What is wrong with it, and the nearest right name.
    fn of(annotation: &'a Annotation) -> Result<Self, (String, Nearest)> {
        let refused = |message: String| (message, Nearest::default());
        match (annotation.name.as_str(), annotation.value.as_deref()) {
            ("ignore", None | Some("true")) => Ok(Self::Ignore(true)),
            ("ignore", Some("false")) => Ok(Self::Ignore(false)),
            ("ignore", Some(other)) => {
                Err(refused(format!("{other:?} is not accepted: expected \"true\" or \"false\"")))
            }
            ("tag", Some(name)) if !name.contains(['{', '}']) => match Template::parse(name) {
                Ok(_) => Ok(Self::Tag(name)),
                Err(message) => Err(refused(message)),
            },
            ("tag", value) => {
                let value = value.unwrap_or_default();
                Err(refused(format!(
                    "{value:?} is not accepted: expected what the tag begins with, such as \"user\""
                )))
            }
            (other, _) => {
                let nearest = Nearest::of(other, NAMES);
                let message = match nearest.0 {
                    Some(_) => "unknown option".to_owned(),
                    None => format!("unknown option of a field: there are {}", NAMES.join(", ")),
                };
                Err((message, nearest))
            }
        }
    }
}

/// What is wrong with the annotations of fields.
pub(super) fn problems(schema: &Schema) -> Vec<Problem> {
    let methods = || schema.services().flat_map(|service| service.methods.values());
    let structures = schema.structures().flat_map(|(_, one)| annotations(&one.name, &one.fields));
    let arguments = methods().flat_map(|method| annotations(&method.name, &method.arguments));
    let wrong = structures.chain(arguments).filter_map(|(owner, annotation)| {
        let (message, suggestion) = Word::of(annotation).err()?;
        Some(problem(annotation, &owner, message, suggestion))
    });
    let thrown = methods().flat_map(|method| annotations(&method.name, &method.throws));
    let thrown =
        thrown.map(|(owner, annotation)| problem(annotation, &owner, THROWN.to_owned(), Nearest::default()));
    wrong.chain(thrown).collect()
}

/// Each annotation of these fields, and what its field is called.
fn annotations<'a>(owner: &str, fields: &'a [Field]) -> Vec<(String, &'a Annotation)> {
    let of = |field: &'a Field| {
        let name = format!("{owner}.{}", field.name);
        field.annotations.iter().map(move |annotation| (name.clone(), annotation))
    };
    fields.iter().flat_map(of).collect()
}

/// Of an argument of this method whose annotation nothing comes of.
pub(super) fn idle(method: &str, annotation: &Annotation) -> Problem {
    problem(annotation, method, IDLE.to_owned(), Nearest::default())
}

fn problem(annotation: &Annotation, owner: &str, message: String, suggestion: Nearest) -> Problem {
    Problem {
        file: annotation.place.file.to_path_buf(),
        line: annotation.place.line as usize,
        path: format!("{owner}: larder.{}", annotation.name),
        message,
        suggestion,
    }
}

fn is_tag(annotation: &Annotation) -> bool {
    matches!(Word::of(annotation), Ok(Word::Tag(_)))
}

/// The structures that hold such a field, at whatever depth.
fn holding(schema: &Schema, is_such: impl Fn(&Field) -> bool) -> BTreeSet<StructId> {
    let mut holding = BTreeSet::new();
    loop {
        let before = holding.len();
        for (id, structure) in schema.structures() {
            let holds =
                |field: &Field| is_such(field) || field.ty.structures().iter().any(|id| holding.contains(id));
            if structure.fields.iter().any(holds) {
                holding.insert(id);
            }
        }
        if holding.len() == before {
            return holding;
        }
    }
}

/// What may be said of a field.
const NAMES: [&str; 2] = ["ignore", "tag"];

/// What is said of an annotation of an exception.
const THROWN: &str =
    "means nothing of an exception: cache_exceptions and failure_exceptions stand behind the method";

/// What is said of an annotation of an argument, where its method has none.
const IDLE: &str = "without larder.ttl behind the method it says nothing";

/// The most tags and ignored fields that a rule may have.
pub(super) const TAGS: usize = 16;
pub(super) const IGNORED: usize = 256;
