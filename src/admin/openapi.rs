//! The API's description in OpenAPI 3.1, whose schemas are the JSON Schema of the types that are spoken.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operation::{Content, Effect, Operation};

/// The description of these operations.
pub(super) fn document<S>(operations: &[Operation<S>]) -> Value {
    let settings = SchemaSettings::draft2020_12();
    let settings = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.verb.as_str().to_owned(), described(operation, &mut schemas));
        }
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Larder's admin endpoint",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What asks changes nothing, and everybody may. What changes something takes the token of \
                admin.token_file or admin.token_env, or comes through admin.socket.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn described<S>(operation: &Operation<S>, schemas: &mut SchemaGenerator) -> Value {
    let (media, schema) = match operation.answers {
        Content::Text(media) => {
            (media, Schema::from(json!({ "type": "string" }).as_object().cloned().unwrap_or_default()))
        }
        Content::Json(shape) => ("application/json", shape(schemas)),
        // The schema is of an event's data; OpenAPI 3.1 has no words for a sequence of them.
        Content::Events(shape) => ("text/event-stream", shape(schemas)),
    };
    let mut described = json!({
        "operationId": operation.name,
        "summary": operation.about,
        "responses": {
            "200": { "description": "What was asked for.", "content": { media: { "schema": schema } } },
            "default": {
                "description": "Why not.",
                "content": { "text/plain; charset=utf-8": { "schema": { "type": "string" } } },
            },
        },
    });
    let mut parameters: Vec<Value> = parameters(operation.path).map(parameter).collect();
    parameters.extend(operation.asks.iter().flat_map(|shape| query(&shape(schemas))));
    let takes = operation.takes.map(|shape| {
        let schema = shape(schemas);
        json!({ "content": { "application/json": { "schema": schema } } })
    });
    let security = (operation.effect == Effect::Changes).then(|| json!([{ "token": [] }, {}]));
    let parameters = (!parameters.is_empty()).then(|| Value::from(parameters));
    let more = [("requestBody", takes), ("parameters", parameters), ("security", security)];
    for (name, value) in more {
        if let (Some(described), Some(value)) = (described.as_object_mut(), value) {
            described.insert(name.to_owned(), value);
        }
    }
    described
}

/// The names in braces of a path.
fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

/// What an address may say behind the path: the properties of a type.
fn query(shape: &Schema) -> Vec<Value> {
    let properties = shape.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parameter =
        |(name, schema): (&String, &Value)| json!({ "name": name, "in": "query", "schema": schema });
    properties.map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::operation::Verb;
    use crate::admin::table;
    use crate::admin::tests::Nothing;
    use std::collections::BTreeSet;

    fn described() -> Value {
        document(&table::all::<Nothing>())
    }

    /// Everything below `value`, itself included.
    fn below(value: &Value) -> Vec<&Value> {
        let inner: Vec<&Value> = match value {
            Value::Array(all) => all.iter().collect(),
            Value::Object(all) => all.values().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        [value].into_iter().chain(inner.into_iter().flat_map(below)).collect()
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document = described();
        let references = below(&document).into_iter().filter_map(|value| value.get("$ref")?.as_str());
        let mut count = 0;
        for reference in references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
            count += 1;
        }
        assert!(count > 10, "{count} references");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_says_what_it_is_for() {
        let all = table::all::<Nothing>();
        let names: BTreeSet<&str> = all.iter().map(|operation| operation.name).collect();
        assert_eq!(names.len(), all.len());
        for operation in &all {
            assert!(!operation.name.is_empty() && operation.about.ends_with('.'), "{}", operation.path);
            let path = format!("/paths/{}/{}", operation.path.replace('/', "~1"), operation.verb.as_str());
            let described = described();
            let described = described.pointer(&path).unwrap();
            assert_eq!(described["operationId"], operation.name);
            assert_eq!(described.get("security").is_some(), operation.effect == Effect::Changes);
        }
    }

    #[test]
    fn what_an_address_may_say_is_described() {
        let document = described();
        let tap = &document["paths"]["/v1/tap"]["get"];
        let parameters = tap["parameters"].as_array().unwrap();
        let names: Vec<&str> = parameters.iter().filter_map(|one| one["name"].as_str()).collect();
        assert!(names.contains(&"method") && names.contains(&"for"), "{names:?}");
        assert!(parameters.iter().all(|one| one["in"] == "query" && one["schema"].is_object()), "{tap:#}");
        assert!(tap["responses"]["200"]["content"]["text/event-stream"]["schema"].is_object());
    }

    #[test]
    fn nothing_changes_by_a_plain_look() {
        let all = table::all::<Nothing>();
        assert!(all.iter().all(|one| one.verb != Verb::Get || one.effect == Effect::Reads));
    }
}
