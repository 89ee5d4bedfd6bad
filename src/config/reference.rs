//! The reference page and the JSON schema of the configuration, from the types' own texts.

use serde_json::{Value, json};

use super::schema::{OptionShape, Shape};
use crate::{admin, backend, cache, flight, invalidation, limits, listener, log, rule, runtime};

/// `config/REFERENCE.md`.
pub(super) fn page() -> String {
    let mut page = PREFACE.to_owned();
    for section in sections() {
        table(&mut page, section.header, section.shape.root());
    }
    page
}

/// One section, and after it those inside it.
fn table(page: &mut String, header: &str, shape: OptionShape<'_>) {
    page.push_str(&format!("\n## `[{header}]`\n\n{}\n", one_line(shape.description())));
    page.push_str("\n| option | accepts | default | meaning |\n|---|---|---|---|\n");
    let required: Vec<_> = shape.required().collect();
    for (name, option) in shape.options().filter(|(_, option)| !option.is_section()) {
        let default = match required.contains(&name) {
            true => "must be given".to_owned(),
            false => option.default(),
        };
        let row = [format!("`{name}`"), accepts(option), default, one_line(option.description())];
        page.push_str(&format!("| {} |\n", row.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
    for (name, inner) in shape.options().filter(|(_, option)| option.is_section()) {
        table(page, &format!("{header}.{name}"), inner);
    }
}

/// Every option, behind its section's name without that of the thing it is for: `listeners`, `cache.local`.
pub(super) fn options() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for section in sections() {
        let kind = match section.header.split_once('.') {
            Some((kind, _)) if kind != "cache" => kind,
            Some(_) | None => section.header,
        };
        let options = section.shape.root().options();
        all.extend(options.map(|(name, _)| (kind.to_owned(), name.to_owned())));
    }
    all
}

/// `config/schema.json`, for editors.
pub(super) fn schema() -> String {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "larder.toml",
        "type": "object",
        "additionalProperties": false,
        "required": ["listeners", "backends"],
        "properties": {
            "cache": { "type": "object", "additionalProperties": false, "properties": {} },
        },
    });
    for section in sections() {
        let mut shape = section.shape.value().clone();
        if let Some(shape) = shape.as_object_mut() {
            shape.remove("title");
        }
        let (parent, value) = match section.header.split_once('.') {
            None => ("/properties", shape),
            Some(("cache", _)) => ("/properties/cache/properties", shape),
            Some(_) => ("/properties", json!({ "type": "object", "additionalProperties": shape })),
        };
        let name = match section.header.split_once('.') {
            Some(("cache", tier)) => tier,
            Some((kind, _)) => kind,
            None => section.header,
        };
        if let Some(Value::Object(parent)) = root.pointer_mut(parent) {
            parent.insert(name.to_owned(), value);
        }
    }
    format!("{root:#}\n")
}

struct Section {
    header: &'static str,
    shape: Shape,
}

fn sections() -> [Section; 11] {
    let section = |header, shape| Section { header, shape };
    [
        section("runtime", Shape::of::<runtime::options::Options>()),
        section("log", Shape::of::<log::options::Options>()),
        section("admin", Shape::of::<admin::options::Options>()),
        section("invalidation", Shape::of::<invalidation::options::Options>()),
        section("limits", Shape::of::<limits::Options>()),
        section("listeners.NAME", Shape::of::<listener::options::Options>()),
        section("backends.NAME", Shape::of::<backend::options::Options>()),
        section("cache.local", Shape::of::<cache::options::LocalOptions>()),
        section("cache.shared", Shape::of::<cache::options::SharedOptions>()),
        section("flights", Shape::of::<flight::options::Options>()),
        section("rules.\"PATTERN\"", Shape::of::<rule::options::Options>()),
    ]
}

fn accepts(option: OptionShape<'_>) -> String {
    let bounds = match option.quantity_bounds() {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    };
    let words = match option.format() {
        Some("period") => "duration".to_owned(),
        Some("size") => "size".to_owned(),
        Some("share") => "share".to_owned(),
        Some(_) | None => option.accepts(),
    };
    format!("{words}{bounds}")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const PREFACE: &str = "# Configuration reference

One TOML file. Unknown sections and options are refused; `larder check FILE` names all problems at once. A duration is text
with a unit, such as `\"30s\"`, `\"250ms\"` or `\"5m\"`. A size is a number of bytes or text such as `\"16MiB\"`. Paths are relative to
the file. This page and `schema.json` beside it are made from the types that hold the options; a test keeps them so.
`larder.toml` beside it shows every option in its place.
";
