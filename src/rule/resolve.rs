//! A rule's names as the ids of one method's fields and exceptions, and its fallback as bytes.

use crate::idl::value;
use crate::idl::{Method, Schema, UnknownName};
use crate::rule::Fallback;
use crate::rule::options::Options;
use crate::rule::tagging::template::{Hole, Side, Template};
use crate::setting::{Finding, Nearest};
use crate::wire::Protocol;

/// What a rule means for one method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The argument fields that are left out of the key: ids, from the outermost in.
    pub ignore: Vec<Vec<i16>>,
    /// The result fields whose exceptions are kept.
    pub cache_exceptions: Vec<i16>,
    /// The result fields whose exceptions are faults.
    pub failure_exceptions: Vec<i16>,
    /// What answers when nothing else does.
    pub fallback: Option<Fallback>,
    /// What a call of the method gets back.
    pub replies: Replies,
    /// The tags of what is kept.
    pub tags: Vec<Template>,
    /// The tags of what its calls change.
    pub invalidates: Vec<Template>,
}

/// What a call of a method gets back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Replies {
    /// A reply; without IDL nobody knows whether an empty one is complete, so it counts as a missing result.
    #[default]
    Unknown,
    /// A reply whose field 0 is there, unless an exception is.
    Value,
    /// A reply that may be empty, because the method is `void`.
    Void,
    /// Nothing at all, because the method is `oneway`.
    Nothing,
}

/// What `options` mean for a method; `None` where the listener has no IDL, so that ids alone can be understood.
///
/// # Errors
///
/// Everything that cannot be understood.
pub(crate) fn resolve(
    options: &Options,
    method: Option<(&Schema, &Method)>,
) -> Result<Resolved, Vec<Finding>> {
    let (resolved, mut findings) = resolve_known(options, method);
    // One idl is missing, however many options ask for it.
    let mut missing = false;
    findings.retain(|finding| !finding.message.contains(NEEDS_IDL) || !std::mem::replace(&mut missing, true));
    if findings.is_empty() { Ok(resolved) } else { Err(findings) }
}

/// The same, leaving out what this method does not have: a rule for many methods may name what only some of them have.
pub(crate) fn resolve_known(
    options: &Options,
    method: Option<(&Schema, &Method)>,
) -> (Resolved, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut keep = |option, result: Result<_, Finding>| {
        result.map_err(|finding| findings.push(Finding { option, ..finding })).ok()
    };
    let ignore: Vec<_> =
        options.ignore.iter().filter_map(|dotted| keep("ignore", path(dotted, method))).collect();
    let mut exceptions = |option, names: &[String]| -> Vec<i16> {
        let ids = names.iter().map(|name| exception(name, method).map(|id| vec![id]));
        ids.filter_map(|id| keep(option, id)).flatten().collect()
    };
    let cache_exceptions = exceptions("cache_exceptions", &options.cache_exceptions);
    let failure_exceptions = exceptions("failure_exceptions", &options.failure_exceptions);
    let mut templates = |option, texts: &[String], ignore: &[Vec<i16>]| -> Vec<Template> {
        let mut met = |finding| findings.push(Finding { option, ..finding });
        texts.iter().filter_map(|text| template(text, method, ignore, &mut met)).collect()
    };
    let tags = templates("tags", &options.tags, &ignore);
    let invalidates = templates("invalidates", &options.invalidates, &[]);
    let both = cache_exceptions.iter().find(|id| failure_exceptions.contains(id));
    if let Some(id) = both {
        let message =
            format!("exception {id} is in cache_exceptions too: it is an answer or a failure, not both");
        findings.push(Finding::new("failure_exceptions", message));
    }
    let fallback = options.fallback.as_deref().and_then(|json| {
        fallback(json, method).map_err(|message| findings.push(Finding::new("fallback", message))).ok()
    });
    findings.extend(reply_fault(options, method));
    let replies = replies(options, method);
    let resolved =
        Resolved { ignore, cache_exceptions, failure_exceptions, fallback, replies, tags, invalidates };
    (resolved, findings)
}

fn path(dotted: &str, method: Option<(&Schema, &Method)>) -> Result<Vec<i16>, Finding> {
    match method {
        Some((schema, method)) => method.path(schema, dotted).map_err(unknown),
        None => dotted.split('.').map(|step| id(step, dotted)).collect(),
    }
}

/// The template that `text` writes. What this method does not have leaves a hole that nothing fills: its calls stand for all that might.
fn template(
    text: &str,
    method: Option<(&Schema, &Method)>,
    ignore: &[Vec<i16>],
    met: &mut dyn FnMut(Finding),
) -> Option<Template> {
    let written = Template::parse(text).map_err(|fault| met(Finding::new("", fault))).ok()?;
    let template = written.resolve(|side, dotted| field(side, dotted, method).map_err(&mut *met).ok());
    let is_left_out = |hole: &Hole<Vec<i16>>| {
        hole.side == Side::Call && ignore.iter().any(|path| hole.path.starts_with(path))
    };
    if template.holes().any(is_left_out) {
        let why = "calls that share a reply may differ in it";
        met(Finding::new("", format!("{text:?} has a field that ignore leaves out of the key: {why}")));
    }
    Some(template)
}

fn field(side: Side, dotted: &str, method: Option<(&Schema, &Method)>) -> Result<Vec<i16>, Finding> {
    match (method, side) {
        (Some((schema, method)), Side::Call) => method.path_to_scalars(schema, dotted).map_err(unknown),
        (Some((schema, method)), Side::Reply) => method.path_in_reply(schema, dotted).map_err(unknown),
        (None, Side::Call) => path(dotted, None),
        (None, Side::Reply) if dotted.is_empty() => Ok(vec![0]),
        (None, Side::Reply) => Ok([vec![0], path(dotted, None)?].concat()),
    }
}

fn exception(name: &str, method: Option<(&Schema, &Method)>) -> Result<i16, Finding> {
    let id = match method {
        Some((schema, method)) => method.exception(schema, name).map_err(unknown)?,
        None => id(name, name)?,
    };
    match id {
        0 => Err(Finding::new("", "0 is the result itself, not an exception")),
        id => Ok(id),
    }
}

fn id(step: &str, whole: &str) -> Result<i16, Finding> {
    let named =
        || Finding::new("", format!("{whole:?} is a name, which {NEEDS_IDL}: without it only ids are known"));
    step.parse().map_err(|_| named())
}

fn unknown(error: UnknownName) -> Finding {
    let text = error.to_string();
    let nearest = match error {
        UnknownName::Service { nearest, .. }
        | UnknownName::Method { nearest, .. }
        | UnknownName::Field { nearest, .. }
        | UnknownName::Exception { nearest, .. } => nearest,
        UnknownName::NoFields { .. } | UnknownName::NoScalar { .. } => Nearest::default(),
    };
    let message = text.strip_suffix(&nearest.to_string()).unwrap_or(&text).to_owned();
    Finding::new("", message).suggesting(nearest)
}

fn fallback(json: &str, method: Option<(&Schema, &Method)>) -> Result<Fallback, String> {
    let Some((schema, method)) = method else {
        return Err(format!("{NEEDS_IDL}, which says how its values are written"));
    };
    let json = serde_json::from_str(json).map_err(|error| format!("no JSON: {error}"))?;
    let write = |protocol| {
        let written = value::result(schema, method, &json, protocol)
            .map_err(|problem| format!("does not fit what {} returns: {problem}", method.name))?;
        // It is for the worst hour: that its clients can read it is not left to be found out then.
        let read = value::read_reply(schema, method, protocol, &written)
            .map_err(|error| format!("cannot be read in the {} protocol: {error}", protocol.as_str()))?;
        Ok::<_, String>((written, read))
    };
    let [(binary, said), (compact, same)] = [write(Protocol::Binary)?, write(Protocol::Compact)?];
    match said == same && matches!(said, value::Said::Result(_) | value::Said::Nothing) {
        true => Ok(Fallback { binary: binary.into(), compact: compact.into() }),
        false => Err("does not read the same in both protocols".to_owned()),
    }
}

/// What is said of all that cannot be understood without IDL.
const NEEDS_IDL: &str = "needs the listener's idl";

/// What the IDL says of a method wins over what the rule does.
fn replies(options: &Options, method: Option<(&Schema, &Method)>) -> Replies {
    match method {
        None if options.oneway => Replies::Nothing,
        None if options.cache_void => Replies::Void,
        None => Replies::Unknown,
        Some((_, Method { oneway: true, .. })) => Replies::Nothing,
        Some((_, Method { returns: Some(_), .. })) => Replies::Value,
        Some((_, Method { returns: None, .. })) => Replies::Void,
    }
}

/// What the rule says of the method's reply and the IDL does not.
fn reply_fault(options: &Options, method: Option<(&Schema, &Method)>) -> Option<Finding> {
    let (_, method) = method?;
    let name = &method.name;
    let finding = |option, message| Some(Finding::new(option, message));
    match (method.oneway, &method.returns) {
        (true, _) if options.ttl.is_some() && !options.oneway => {
            finding("ttl", format!("{name} is oneway: it has no reply to keep"))
        }
        (false, _) if options.oneway => {
            finding("oneway", format!("the idl declares {name} without oneway: it has a reply"))
        }
        (false, Some(_)) if options.cache_void => {
            finding("cache_void", format!("the idl declares {name} with a result"))
        }
        (false, None) if options.ttl.is_some() && !options.cache_void => finding(
            "ttl",
            format!(
                "{name} returns nothing, so of the calls that share a reply only one would reach the service: \
                leave out ttl, or say cache_void = true"
            ),
        ),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::setting::Period;

    fn schema() -> Schema {
        let text = "struct Trace { 1: string id, 2: string span }
            exception NotFound { 1: string why }
            exception Down { 1: string why }
            struct User { 1: i64 id, 2: string name }
            service S {
                User get(1: i64 id, 2: Trace trace) throws (1: NotFound missing, 2: Down down)
                void ping()
                oneway void tell(1: i64 id)
            }";
        Schema::load(Path::new("s.thrift"), |_| Ok(text.to_owned())).unwrap()
    }

    fn findings(options: &Options, method: Option<&str>) -> Vec<String> {
        let schema = schema();
        let method = method.map(|name| (&schema, &schema.service("S").unwrap().methods[name]));
        let found = resolve(options, method).err().unwrap_or_default();
        found.iter().map(ToString::to_string).collect()
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_become_ids() {
        let schema = schema();
        let method = &schema.service("S").unwrap().methods["get"];
        let options = Options {
            ttl: Some(Period::from_secs(1)),
            ignore: list(&["trace.span", "2.1", "id"]),
            cache_exceptions: list(&["NotFound"]),
            failure_exceptions: list(&["down"]),
            fallback: Some(r#"{"id": 0, "name": "nobody"}"#.to_owned()),
            ..Options::default()
        };
        let resolved = resolve(&options, Some((&schema, method))).unwrap();
        assert_eq!(resolved.ignore, [vec![2, 2], vec![2, 1], vec![1]]);
        assert_eq!((resolved.cache_exceptions, resolved.failure_exceptions), (vec![1], vec![2]));
        assert_eq!(resolved.replies, Replies::Value);
        assert!(resolved.fallback.unwrap().binary.starts_with(&[12, 0, 0]), "field 0, a struct");
    }

    #[test]
    fn a_fallback_of_any_kind_of_value_reads_back() {
        let text = "enum Size { SMALL = 1 } union Either { 1: i32 one, 2: string other }
            struct All { 1: map<i16, set<Size>> sizes, 2: list<double> numbers, 3: binary bytes, 4: uuid id, 5: Either either,
                6: map<string, bool> none, 7: list<list<byte>> deep }
            service S { All get() void put() }";
        let schema = Schema::load(Path::new("s.thrift"), |_| Ok(text.to_owned())).unwrap();
        let all = r#"{"sizes": {"7": ["SMALL"]}, "numbers": ["NaN", -0.5], "bytes": "AAE=", "either": {"one": 1}, "none": {},
            "id": "00112233-4455-6677-8899-aabbccddeeff", "deep": [[], [-1]]}"#;
        for (method, json) in [("get", all), ("get", "{}"), ("put", "null")] {
            let options = Options { fallback: Some(json.to_owned()), ..Options::default() };
            let method = &schema.service("S").unwrap().methods[method];
            let found = resolve(&options, Some((&schema, method)));
            assert!(found.as_ref().is_ok_and(|resolved| resolved.fallback.is_some()), "{json}: {found:?}");
        }
    }

    #[test]
    fn without_idl_ids_alone_are_known() {
        let options =
            Options { ignore: list(&["3", "1.2"]), cache_exceptions: list(&["1"]), ..Options::default() };
        let resolved = resolve(&options, None).unwrap();
        assert_eq!((resolved.ignore, resolved.cache_exceptions), (vec![vec![3], vec![1, 2]], vec![1]));
        let options =
            Options { ignore: list(&["trace"]), fallback: Some("1".to_owned()), ..Options::default() };
        let found = findings(&options, None);
        assert!(
            found[0].starts_with("ignore: \"trace\" is a name, which needs the listener's idl"),
            "{found:?}"
        );
        assert_eq!(found.len(), 1, "one idl is missing");
        let options = Options { fallback: Some("1".to_owned()), ..Options::default() };
        assert!(findings(&options, None)[0].starts_with("fallback: needs the listener's idl"));
    }

    #[test]
    fn what_a_method_does_not_have_is_said_all_at_once() {
        let options = Options {
            ignore: list(&["trac", "trace.spam", "id.x"]),
            cache_exceptions: list(&["NotFund"]),
            failure_exceptions: list(&["0"]),
            oneway: true,
            fallback: Some(r#"{"id": "zero"}"#.to_owned()),
            ..Options::default()
        };
        let found = findings(&options, Some("get"));
        let expected = [
            "ignore: method get has no field trac, did you mean trace?",
            "ignore: struct Trace has no field spam, did you mean span?",
            "ignore: i64 has no fields, so no x",
            "cache_exceptions: method get declares no exception NotFund, did you mean NotFound?",
            "failure_exceptions: method get declares no exception 0",
            "fallback: does not fit what get returns: .id: expected i64, found",
            "oneway: the idl declares get without oneway: it has a reply",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn the_idl_says_what_a_method_replies() {
        let schema = schema();
        let check = |name: &str, expected| {
            let method = &schema.service("S").unwrap().methods[name];
            assert_eq!(
                resolve(&Options::default(), Some((&schema, method))).unwrap().replies,
                expected,
                "{name}"
            );
        };
        check("get", Replies::Value);
        check("ping", Replies::Void);
        check("tell", Replies::Nothing);
        let cached = Options { ttl: Some(Period::from_secs(1)), ..Options::default() };
        assert_eq!(findings(&cached, Some("tell")), ["ttl: tell is oneway: it has no reply to keep"]);
        assert!(findings(&cached, Some("ping"))[0].starts_with("ttl: ping returns nothing"));
        let word = Options { cache_void: true, ..cached };
        assert_eq!(findings(&word, Some("ping")), Vec::<String>::new());
        assert_eq!(findings(&word, Some("get")), ["cache_void: the idl declares get with a result"]);
    }
}
