//! What a change of the configuration means, in words, and for whom: `backend users: 2 endpoints more: h:1, h:2`.

use serde_json::Value;

use super::held::Held;

/// In what an option differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Difference<'a> {
    /// In its value.
    Value(&'a Value, &'a Value),
    /// In what is found where this value points.
    Content(&'a Value),
}

/// What it means that an option differs.
pub(super) fn option(section: &str, option: &str, difference: &Difference<'_>) -> String {
    let name = match owner(section) {
        Some(owner) => format!("{owner}: {option}"),
        None => format!("{section}.{option}"),
    };
    match difference {
        Difference::Content(value) => format!("{name} {}: its content has changed", value_of(value)),
        Difference::Value(Value::Array(from), Value::Array(to)) => list(section, option, from, to),
        Difference::Value(from, to) => format!("{name} {} to {}", value_of(from), value_of(to)),
    }
}

/// What it means that there is a section which was not.
pub(super) fn new(section: &str, held: &Held) -> String {
    let name = owner(section).unwrap_or_else(|| section.to_owned());
    let kind = if section.starts_with("rules.") { "new rule" } else { "new" };
    let bind = held.get("bind").map(|bind| format!(" at {}", value_of(bind))).unwrap_or_default();
    let others = held.given().filter(|(option, _)| *option != "bind");
    let options: Vec<String> =
        others.map(|(option, value)| format!("{option} {}", value_of(value))).collect();
    let options = if options.is_empty() { String::new() } else { format!(" ({})", options.join(", ")) };
    format!("{name}: {kind}{bind}{options}")
}

/// What it means that a section is no more.
pub(super) fn gone(section: &str, held: &Held) -> String {
    let name = owner(section).unwrap_or_else(|| section.to_owned());
    match held.get("bind") {
        Some(bind) => format!("{name}: gone from {}", value_of(bind)),
        None if section.starts_with("rules.") => format!("{name}: no such rule any more"),
        None => format!("{name}: gone"),
    }
}

/// Whom a section with a name is for.
fn owner(section: &str) -> Option<String> {
    let (kind, name) = section.split_once('.')?;
    match kind {
        "rules" => Some(name.trim_matches('"').to_owned()),
        "backends" => Some(format!("backend {name}")),
        "listeners" => Some(format!("listener {name}")),
        _ => None,
    }
}

fn list(section: &str, option: &str, from: &[Value], to: &[Value]) -> String {
    let lacking = |all: &[Value], others: &[Value]| -> Vec<String> {
        all.iter().filter(|one| !others.contains(one)).map(value_of).collect()
    };
    let (more, less) = (lacking(to, from), lacking(from, to));
    let noun = |count: usize| match option.strip_suffix('s') {
        Some(one) if count == 1 => one.to_owned(),
        Some(_) | None => option.to_owned(),
    };
    let say = |which: &[String], word: &str| {
        let (count, noun) = (which.len(), noun(which.len()));
        (count > 0).then(|| format!("{count} {noun} {word} ({})", which.join(", ")))
    };
    let said: Vec<String> = [say(&more, "more"), say(&less, "less")].into_iter().flatten().collect();
    let said = if said.is_empty() { format!("{option} in another order") } else { said.join(", ") };
    let name = owner(section).unwrap_or_else(|| section.to_owned());
    format!("{name}: {said}")
}

/// A value as people write it; the default of an option that may lack one is none.
fn value_of(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(all) => format!("[{}]", all.iter().map(value_of).collect::<Vec<_>>().join(", ")),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace) && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::held::Origin;
    use serde_json::json;

    #[track_caller]
    fn says(section: &str, name: &str, [from, to]: [Value; 2], expected: &str) {
        assert_eq!(option(section, name, &Difference::Value(&from, &to)), expected);
    }

    #[test]
    fn a_change_says_what_changes_for_whom() {
        let rule = "rules.\"UserService.getUser\"";
        says(rule, "ttl", [json!("30s"), json!("60s")], "UserService.getUser: ttl 30s to 60s");
        says(
            rule,
            "soft_timeout",
            [json!(null), json!("1s")],
            "UserService.getUser: soft_timeout none to 1s",
        );
        says("limits", "connections", [json!(1000), json!(2000)], "limits.connections 1000 to 2000");
        says("log", "level", [json!("info"), json!("info, x=debug")], "log.level info to \"info, x=debug\"");
        says(
            "backends.users",
            "weights.h:1",
            [json!(null), json!(2)],
            "backend users: weights.h:1 none to 2",
        );
        let idl = Difference::Content(&json!("users.thrift"));
        let said = "listener users: idl users.thrift: its content has changed";
        assert_eq!(option("listeners.users", "idl", &idl), said);
    }

    #[test]
    fn a_list_says_what_it_has_more_and_less() {
        let backend = "backends.users";
        let (one, two) = (json!(["h:1"]), json!(["h:1", "h:2", "h:3"]));
        let more = "backend users: 2 endpoints more (h:2, h:3)";
        says(backend, "endpoints", [one.clone(), two.clone()], more);
        says(backend, "endpoints", [two, one.clone()], "backend users: 2 endpoints less (h:2, h:3)");
        let both = "backend users: 1 endpoint more (h:4), 1 endpoint less (h:1)";
        says(backend, "endpoints", [one, json!(["h:4"])], both);
        let order = "backend users: endpoints in another order";
        says(backend, "endpoints", [json!([1, 2]), json!([2, 1])], order);
        says("rules.\"S.*\"", "ignore", [json!([]), json!(["trace"])], "S.*: 1 ignore more (trace)");
    }

    #[test]
    fn a_section_that_comes_says_what_is_given_in_it() {
        let held = |options: &Value, given: &[&str]| {
            let options = options.as_object().cloned().unwrap_or_default().into_iter().collect();
            let given = given.iter().map(|option| (*option).to_owned()).collect();
            Held::new(options, given, Origin::Configuration)
        };
        let listener = held(&json!({ "bind": "127.0.0.1:9093", "backend": "users" }), &["bind", "backend"]);
        assert_eq!(new("listeners.two", &listener), "listener two: new at 127.0.0.1:9093 (backend users)");
        assert_eq!(gone("listeners.two", &listener), "listener two: gone from 127.0.0.1:9093");
        let backend = held(&json!({ "endpoints": ["h:1"], "retries": 2 }), &["endpoints"]);
        assert_eq!(new("backends.two", &backend), "backend two: new (endpoints [h:1])");
        assert_eq!(gone("backends.two", &backend), "backend two: gone");
        let rule = held(&json!({ "retries": 2 }), &[]);
        assert_eq!(new("rules.\"S.get*\"", &rule), "S.get*: new rule");
        assert_eq!(gone("rules.\"S.get*\"", &rule), "S.get*: no such rule any more");
    }
}
