//! One template: text with holes that are filled from a call or its reply, such as `user:{id}` or `team:{reply.team_id}`.

use xxhash_rust::xxh3::xxh3_64;

use super::Said;
use crate::mark::Cover;
use crate::wire::Struct;
use crate::wire::pick::{Scalar, pick};

/// A template whose holes have paths of type `P`: a text as it is written, ids where it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template<P = Vec<i16>> {
    pieces: Vec<Piece<P>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<P> {
    Text(String),
    Hole(Hole<P>),
}

/// A place in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole<P> {
    /// Where the value is.
    pub side: Side,
    /// Which it is.
    pub path: P,
    /// How it is spelled.
    pub case: Case,
}

/// Where the value of a hole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Among the arguments.
    Call,
    /// In the reply.
    Reply,
}

/// How a text is spelled in a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// As it is.
    Kept,
    /// In lower case: for names that the service folds too.
    Lower,
}

/// What a template came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// These names: several where a hole is filled from a list.
    Names(Vec<Vec<u8>>),
    /// Nobody knows which: a value is absent, empty or has no spelling, or there are too many.
    Untold,
}

impl Template<String> {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, behind) =
                after.split_once('}').ok_or_else(|| format!("{text:?} has a {{ without its }}"))?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Hole(hole(text, inside)?));
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        let strays = |piece: &Piece<_>| matches!(piece, Piece::Text(text) if text.contains('}'));
        let holes = pieces.iter().filter(|piece| matches!(piece, Piece::Hole(_))).count();
        match () {
            () if pieces.is_empty() => Err("a tag needs a name".to_owned()),
            () if pieces.iter().any(strays) => Err(format!("{text:?} has a }} without its {{")),
            () if text.len() > LENGTH_MAX => {
                Err(format!("a tag of {} bytes is longer than {LENGTH_MAX}", text.len()))
            }
            () if holes > HOLES_MAX => Err(format!("{text:?} has more than {HOLES_MAX} fields")),
            () => Ok(Self { pieces }),
        }
    }

    /// The same template with ids in place of names. A hole without ids is one that nothing fills.
    pub(crate) fn resolve(self, mut ids: impl FnMut(Side, &str) -> Option<Vec<i16>>) -> Template {
        let pieces = self.pieces.into_iter().map(|piece| match piece {
            Piece::Text(text) => Piece::Text(text),
            Piece::Hole(Hole { side, path, case }) => {
                Piece::Hole(Hole { side, path: ids(side, &path).unwrap_or_default(), case })
            }
        });
        Template { pieces: pieces.collect() }
    }
}

/// What stands between braces: `id`, `ctx.user`, `reply.team_id`, `name|lower`.
fn hole(text: &str, inside: &str) -> Result<Hole<String>, String> {
    let (path, case) = match inside.split_once('|') {
        None => (inside, Case::Kept),
        Some((path, "lower")) => (path, Case::Lower),
        Some((_, other)) => {
            return Err(format!("{text:?} says {other:?}: after | there may be lower, and nothing else"));
        }
    };
    let (side, path) = match path.strip_prefix(REPLY).map(|rest| (rest, rest.strip_prefix('.'))) {
        Some(("", _)) => (Side::Reply, ""),
        Some((_, Some(path))) => (Side::Reply, path),
        Some((_, None)) | None => (Side::Call, path),
    };
    let is_named = path.split('.').all(|step| !step.is_empty()) || (side, path) == (Side::Reply, "");
    if !is_named || path.contains(|c: char| c.is_whitespace() || c == '{') {
        return Err(format!("{text:?} has {{{inside}}}: expected a field, such as {{id}} or {{reply.id}}"));
    }
    Ok(Hole { side, path: path.to_owned(), case })
}

impl Template {
    /// Its holes.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole<Vec<i16>>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Hole(hole) => Some(hole),
        })
    }

    /// What covers all that it may be filled with.
    pub(super) fn family(&self) -> Cover {
        Cover::family(self.pattern().as_bytes())
    }

    /// What covers what it could not be filled for.
    pub(crate) fn untold(&self) -> Cover {
        Cover::untold(self.pattern().as_bytes())
    }

    /// Whether a reply may fill what a call alone does not.
    pub(super) fn awaits_reply(&self) -> bool {
        self.holes().any(|hole| hole.side == Side::Reply)
    }

    /// Whether it may be filled so that it reads `name`.
    pub(crate) fn may_read(&self, name: &[u8]) -> bool {
        // Up to where what the pieces so far are filled with may reach.
        let mut ends = vec![0];
        for piece in &self.pieces {
            ends = match (piece, ends.first()) {
                (Piece::Text(text), _) => {
                    let follows =
                        |end: &usize| name.get(*end..).is_some_and(|rest| rest.starts_with(text.as_bytes()));
                    ends.into_iter().filter(follows).map(|end| end + text.len()).collect()
                }
                // Anything but nothing.
                (Piece::Hole(_), Some(&first)) => (first + 1..=name.len()).collect(),
                (Piece::Hole(_), None) => Vec::new(),
            };
        }
        ends.last() == Some(&name.len())
    }

    /// What covers what it could not be filled for, if it may be filled so that it reads `name`.
    pub(super) fn untold_of(&self, name: &[u8]) -> Option<Cover> {
        self.may_read(name).then(|| self.untold())
    }

    /// Its text with empty holes: whatever their fields are called, `user:{}` is `user:{}`.
    pub(crate) fn pattern(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Hole(_) => "{}",
        });
        pieces.collect()
    }

    /// One spelling of all that it says.
    fn spelled(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
                Piece::Hole(Hole { side, path, case }) => {
                    bytes.extend_from_slice(&[0xff, *side as u8, *case as u8, path.len() as u8]);
                    bytes.extend(path.iter().flat_map(|id| id.to_be_bytes()));
                }
            }
        }
        bytes.push(0xfe);
        bytes
    }

    /// The names that it is filled to, at most `names_max`.
    pub(super) fn fill(&self, said: Said<'_>, names_max: usize) -> Filled {
        let mut names = vec![Vec::new()];
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    names.iter_mut().for_each(|name| name.extend_from_slice(text.as_bytes()))
                }
                Piece::Hole(hole) => {
                    let Some(values) = values(hole, said, names_max) else { return Filled::Untold };
                    if names.len().saturating_mul(values.len()) > names_max {
                        return Filled::Untold;
                    }
                    names = names
                        .iter()
                        .flat_map(|name| values.iter().map(|value| [name.as_slice(), value].concat()))
                        .collect();
                }
            }
        }
        Filled::Names(names)
    }
}

/// The values of a hole; `None` where one cannot be told, or there are none, or more than `values_max`.
fn values(hole: &Hole<Vec<i16>>, said: Said<'_>, values_max: usize) -> Option<Vec<Vec<u8>>> {
    let Struct { protocol, bytes } = match hole.side {
        Side::Call => said.call,
        Side::Reply => said.reply?,
    };
    let mut values = Vec::new();
    let mut found = |scalar: Scalar<'_>| {
        let value = spelled(scalar, hole.case);
        let fits = !value.is_empty() && values.len() < values_max;
        if fits {
            values.push(value);
        }
        fits
    };
    // What cannot be read is a call that no backend understands either.
    let told = pick(protocol, bytes, &hole.path, &mut found).unwrap_or(false);
    (told && !values.is_empty()).then_some(values)
}

fn spelled(scalar: Scalar<'_>, case: Case) -> Vec<u8> {
    match (scalar, case) {
        (Scalar::Bool(value), _) => value.to_string().into_bytes(),
        (Scalar::Number(value), _) => value.to_string().into_bytes(),
        (Scalar::Uuid(value), _) => {
            let hex = value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            hex.into_bytes()
        }
        (Scalar::Text(text), Case::Kept) => text.to_vec(),
        (Scalar::Text(text), Case::Lower) => match std::str::from_utf8(text) {
            Ok(text) => text.to_lowercase().into_bytes(),
            Err(_) => text.to_ascii_lowercase(),
        },
    }
}

/// One number for these templates, 0 for none: entries that others made are told by it.
pub(super) fn hash(templates: &[Template]) -> u64 {
    if templates.is_empty() {
        return 0;
    }
    let spelled: Vec<u8> = templates.iter().flat_map(Template::spelled).collect();
    xxh3_64(&spelled).max(1)
}

/// What a path into the reply begins with.
const REPLY: &str = "reply";
/// Bytes of a template.
const LENGTH_MAX: usize = 256;
/// Holes of a template.
const HOLES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Protocol;

    fn read(text: &str) -> Template {
        let ids = |dotted: &str| dotted.split('.').map(|id| id.parse().ok()).collect::<Option<Vec<i16>>>();
        Template::parse(text).unwrap().resolve(|side, dotted| match side {
            Side::Call => ids(dotted),
            Side::Reply => Some([vec![0], ids(dotted).unwrap_or_default()].concat()),
        })
    }

    /// `{1: 7, 2: "Anna", 3: [1, 2], 4: ""}`
    const CALL: &[u8] = &[
        8, 0, 1, 0, 0, 0, 7, 11, 0, 2, 0, 0, 0, 4, b'A', b'n', b'n', b'a', //
        15, 0, 3, 8, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 11, 0, 4, 0, 0, 0, 0, 0,
    ];
    /// `{0: {1: 9}}`
    const REPLY: &[u8] = &[12, 0, 0, 8, 0, 1, 0, 0, 0, 9, 0, 0];

    #[track_caller]
    fn check(text: &str, reply: Option<&[u8]>, names: &[&str]) {
        let binary = |bytes| Struct { protocol: Protocol::Binary, bytes };
        let said = Said { call: binary(CALL), reply: reply.map(binary) };
        let expected = match names {
            [] => Filled::Untold,
            names => Filled::Names(names.iter().map(|name| name.as_bytes().to_vec()).collect()),
        };
        assert_eq!(read(text).fill(said, 4), expected, "{text}");
    }

    #[test]
    fn holes_are_filled_from_call_and_reply() {
        check("users", None, &["users"]);
        check("user:{1}", None, &["user:7"]);
        check("{2}/{2|lower}!", None, &["Anna/anna!"]);
        check("team:{reply.1}", Some(REPLY), &["team:9"]);
        check("{1}-{3}", None, &["7-1", "7-2"]);
        check("{3}{3}", None, &["11", "12", "21", "22"]);
    }

    #[test]
    fn what_is_absent_empty_or_too_much_is_untold() {
        check("user:{5}", None, &[]);
        check("user:{4}", None, &[]);
        check("team:{reply.1}", None, &[]);
        check("team:{reply.2}", Some(REPLY), &[]);
        check("{3}{3}{3}", None, &[]);
        check("user:{name}", None, &[]);
    }

    #[test]
    fn a_template_says_what_is_wrong_with_it() {
        for (text, fault) in [
            ("", "needs a name"),
            ("user:{id", "{ without its }"),
            ("user:id}", "} without its {"),
            ("user:{}", "expected a field"),
            ("user:{a..b}", "expected a field"),
            ("user:{a b}", "expected a field"),
            ("user:{id|upper}", "there may be lower"),
            ("{1}{1}{1}{1}{1}{1}{1}{1}{1}", "more than 8 fields"),
        ] {
            let told = Template::parse(text).unwrap_err();
            assert!(told.contains(fault), "{text}: {told}");
        }
        assert!(Template::parse(&"x".repeat(257)).unwrap_err().contains("257"));
        assert!(Template::parse("reply:{replyTo}").unwrap().pieces.len() == 2);
    }

    #[test]
    fn a_name_is_read_where_a_template_may_make_it() {
        let colons = ":".repeat(4_096);
        for (text, name, reads) in [
            ("user:{1}", "user:5", true),
            ("user:{1}", "user:", false),
            ("user:{1}", "team:5", false),
            ("{1}:{2}", "a:b", true),
            ("{1}:{2}", "ab", false),
            ("{1}-x", "a-b-x", true),
            ("{1}{2}", "a", false),
            ("users", "users", true),
            ("users", "users5", false),
            ("{1}:{2}:{3}:{4}:{5}:{6}:{7}x", &colons, false),
        ] {
            assert_eq!(read(text).may_read(name.as_bytes()), reads, "{text} {name}");
        }
    }

    #[test]
    fn fields_of_other_names_make_the_same_pattern_and_another_number() {
        let (one, other) = (read("user:{1}"), read("user:{2}"));
        assert_eq!((one.family(), one.untold()), (other.family(), other.untold()));
        assert_ne!(hash(std::slice::from_ref(&one)), hash(std::slice::from_ref(&other)));
        assert_ne!(hash(&[read("a"), read("b")]), hash(&[read("ab")]));
        assert_eq!(hash(&[]), 0);
    }
}
