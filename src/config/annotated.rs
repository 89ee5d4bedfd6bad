//! Rules that the listeners' IDL states: annotations such as `larder.ttl = "30s"` behind a method say what an option of its rule would.

mod fields;

use std::path::Path;

use super::draft::{Draft, Placed, RuleDraft, placed};
use super::idls::Schemas;
use super::problem::{Checked, Location, Problem, key};
use super::schema::{OptionShape, Shape};
use super::text::Text;
use crate::idl::{Annotation, Method, Schema, Service};
use crate::rule::options::{Mode, Options};
use crate::rule::pattern::Pattern;
use crate::setting::Finding;
use fields::Words;

/// The rules that were found, and what is to be said of them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) rules: Vec<RuleDraft>,
    pub(super) checked: Checked,
}

/// The rules that the IDL states. The configuration wins whole: where one of its rules names the service of a method and is for the method,
/// nothing is left of the annotations. A rule for all services is for what no other is for, so annotations win over it.
pub(super) fn rules(draft: &Draft, schemas: &Schemas) -> Found {
    let mut found = Found::default();
    for schema in schemas.values().map(|idl| &idl.schema) {
        found.checked.problems.extend(fields::problems(schema));
        for service in schema.services() {
            for method in service.methods.values() {
                found.method(draft, schema, (service, method));
            }
        }
    }
    found
}

impl Found {
    fn method(&mut self, draft: &Draft, schema: &Schema, (service, method): (&Service, &Method)) {
        let Ok(pattern) = format!("{}.{}", service.name, method.name).parse::<Pattern>() else { return };
        let is_overridden = draft.rules.iter().any(|rule| {
            rule.pattern.service().is_some() && rule.pattern.matches(&service.name, &method.name)
        });
        let Some(first) = method.annotations.first() else {
            let idle = method.arguments.iter().flat_map(|field| &field.annotations).next();
            self.checked.warnings.extend(
                idle.filter(|_| !is_overridden)
                    .map(|annotation| fields::idle(&pattern.to_string(), annotation)),
            );
            return;
        };
        let (mut section, problems) = read(&pattern, &method.annotations);
        self.checked.problems.extend(problems);
        if is_overridden {
            return;
        }
        if section.options.ttl.is_some() || section.options.mode == Mode::Observe {
            self.fields(&mut section, fields::words(schema, method));
        }
        let annotation = Some(first.place.clone());
        self.state(RuleDraft { pattern, section, annotation });
    }

    /// Adds to a rule what its method's fields say.
    fn fields(&mut self, section: &mut Placed<Options>, words: Words) {
        let Words { ignore, tags, untold } = words;
        let Placed { options, place, .. } = section;
        let all = [
            ("ignore", &mut options.ignore, ignore, fields::IGNORED),
            ("tags", &mut options.tags, tags, fields::TAGS),
        ];
        for (option, said, more, most) in all {
            if !more.is_empty() && !place.gives(option) {
                place.lines.push((option.to_owned(), place.line));
            }
            let more: Vec<String> = more.into_iter().filter(|one| !said.contains(one)).collect();
            said.extend(more);
            if said.len() > most {
                let message =
                    format!("has {} items with those of fields, over the limit of {most}", said.len());
                self.checked.problems.push(stated(place, Finding::new(option, message)));
            }
        }
        let untold = untold.into_iter().map(|why| stated(place, Finding::new("tags", why)));
        self.checked.warnings.extend(untold);
    }

    /// Adds a rule, unless another IDL states one for the same method.
    fn state(&mut self, rule: RuleDraft) {
        let Some(other) = self.rules.iter().find(|other| other.pattern == rule.pattern) else {
            return self.rules.push(rule);
        };
        if other.section.options != rule.section.options
            && let Some(place) = &other.annotation
        {
            let message =
                format!("another idl says something else of it in {place}: say it in the configuration");
            self.checked.problems.push(stated(&rule.section.place, Finding::new("", message)));
        }
    }
}

/// What a finding about a rule is in the file that states it.
fn stated(place: &Location, finding: Finding) -> Problem {
    place.problem(Path::new(""), finding)
}

/// The rule that annotations state: a section whose options they are, a line each.
fn read(pattern: &Pattern, annotations: &[Annotation]) -> (Placed<Options>, Vec<Problem>) {
    let shape = Shape::of::<Options>();
    let lines = annotations.iter().map(|Annotation { name, value, .. }| {
        let value = spelled(shape.root().option(name), value.as_deref());
        format!("{} = {value}\n", key(name))
    });
    let (toml, path) = (lines.collect::<String>(), format!("{pattern}: larder"));
    let (mut text, root) = Text::parse(Path::new(""), &toml);
    let mut section = placed(&mut text, &path, 0, root);
    let annotation_of = |line: usize| annotations.get(line.saturating_sub(1)).or_else(|| annotations.first());
    let line_of = |line| annotation_of(line).map_or(0, |annotation| annotation.place.line as usize);
    let problems = text.into_problems().into_iter().map(|problem| Problem {
        file: annotation_of(problem.line).map(|one| one.place.file.to_path_buf()).unwrap_or_default(),
        line: line_of(problem.line),
        path: if problem.path.starts_with(&path) { problem.path } else { format!("{path}.{}", problem.path) },
        ..problem
    });
    let problems = problems.collect();
    section.place = Location {
        file: annotations.first().map(|first| first.place.file.to_path_buf()),
        line: line_of(1),
        lines: section.place.lines.into_iter().map(|(option, line)| (option, line_of(line))).collect(),
        ..section.place
    };
    (section, problems)
}

/// What an annotation says, as TOML. A list may be one, or be parted by commas; an annotation without a value says `true`.
fn spelled(option: Option<OptionShape<'_>>, value: Option<&str>) -> String {
    let takes = |types: &[&str]| option.is_some_and(|option| option.takes(types));
    let Some(value) = value else {
        return if takes(&["boolean"]) { "true".to_owned() } else { "\"\"".to_owned() };
    };
    if takes(&["array"]) {
        return match is_toml(value, toml::Value::is_array) {
            true => value.to_owned(),
            false => {
                let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
                format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
            }
        };
    }
    let is_plain = |value: &toml::Value| value.is_integer() || value.is_float() || value.is_bool();
    match takes(&["boolean", "integer", "number"]) && is_toml(value, is_plain) {
        true => value.to_owned(),
        false => quoted(value),
    }
}

/// Whether a text on one line is one value of TOML, and such a one.
fn is_toml(text: &str, is_such: impl Fn(&toml::Value) -> bool) -> bool {
    let read = toml::from_str::<toml::Table>(&format!("value = {text}"));
    !text.contains('\n') && read.is_ok_and(|table| table.get("value").is_some_and(is_such))
}

/// A text in quotes, on one line.
fn quoted(text: &str) -> String {
    toml::Value::String(text.replace(['\n', '\r'], " ")).to_string()
}
