//! What a reply says, by the method that it answers.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::read::read_fields;
use crate::idl::schema::{Field, Method, Requirement, Schema};
use crate::wire::Protocol;

/// What the struct of a reply says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// The result of the method.
    Result(Json),
    /// No field: of a `void` method all that is to be said, of another a missing result.
    Nothing,
    /// A declared exception.
    Thrown {
        /// Its field in `throws`.
        field: String,
        /// Its type.
        kind: String,
        /// What it holds.
        value: Json,
    },
    /// Fields that the method does not have, by their ids.
    #[serde(rename = "fields")]
    Undeclared(Map<String, Json>),
}

/// What the struct of a reply says, which must have been walked. Libraries write one field or none, and read a result before any exception.
///
/// # Errors
/// If the bytes are no struct, or a text is none.
pub(crate) fn read_reply(
    schema: &Schema,
    method: &Method,
    protocol: Protocol,
    body: &[u8],
) -> thrift::Result<Said> {
    let result = method.returns.clone().map(|ty| Field {
        id: 0,
        name: RESULT.to_owned(),
        ty,
        requirement: Requirement::Default,
        annotations: Vec::new(),
    });
    let declared: Vec<Field> = result.into_iter().chain(method.throws.iter().cloned()).collect();
    let mut fields = read_fields(schema, &declared, protocol, body)?;
    for Field { name, ty, .. } in &declared {
        let Some(value) = fields.remove(name) else { continue };
        return Ok(match name == RESULT {
            true => Said::Result(value),
            false => Said::Thrown { field: name.clone(), kind: schema.type_name(ty), value },
        });
    }
    Ok(if fields.is_empty() { Said::Nothing } else { Said::Undeclared(fields) })
}

/// What no field of `throws` can be called.
const RESULT: &str = "";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::idl::value::{result, thrown};

    #[test]
    fn a_reply_says_what_its_method_ended_with() {
        let idl = "exception Gone { 1: string why } struct Point { 1: i32 x }
            service S { Point get() throws (1: Gone gone), void put() throws (1: Gone gone), i32 count() }";
        let schema = Schema::load(Path::new("s.thrift"), |_| Ok(idl.to_owned())).unwrap();
        let [get, put, count] =
            ["get", "put", "count"].map(|name| &schema.service("S").unwrap().methods[name]);
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let reads = |method, bytes: Vec<u8>| read_reply(&schema, method, protocol, &bytes).unwrap();
            let point = result(&schema, get, &json!({"x": 1}), protocol).unwrap();
            assert_eq!(reads(get, point.clone()), Said::Result(json!({"x": 1})));
            let gone = thrown(&schema, get, &json!({"gone": {"why": "away"}}), protocol).unwrap();
            let kind = "exception Gone".to_owned();
            let value = json!({"why": "away"});
            assert_eq!(reads(get, gone.clone()), Said::Thrown { field: "gone".to_owned(), kind, value });
            assert_eq!(reads(put, result(&schema, put, &Json::Null, protocol).unwrap()), Said::Nothing);
            let other = |said: Json| Said::Undeclared(said.as_object().cloned().unwrap());
            assert_eq!(reads(count, point), other(json!({"0:struct": {"1:i32": 1}})));
            assert_eq!(reads(count, gone), other(json!({"1:struct": {"1:string": "away"}})));
        }
    }
}
