//! A configuration as TOML: what its file gives, in the order of the sections' names.

use std::fmt::Write;

use serde_json::Value;

use super::held::Origin;
use super::problem::key;
use super::values::Values;

/// The TOML of these values. Read again from the same place, it says the same.
pub(super) fn toml(values: &Values) -> String {
    let mut text = String::new();
    for (path, held) in values.sections().filter(|(_, held)| held.origin == Origin::Configuration) {
        if held.given().next().is_none() && !path.contains('.') {
            continue;
        }
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{gap}[{path}]");
        for (option, value) in held.given() {
            let _ = writeln!(text, "{} = {}", key(option), inline(value));
        }
    }
    text
}

/// A value on one line.
fn inline(value: &Value) -> String {
    toml::Value::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string())
}
