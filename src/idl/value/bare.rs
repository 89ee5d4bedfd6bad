//! Reads Thrift bytes without a schema, by what they say of themselves: fields are called by their ids and types.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use thrift::protocol::{
    TBinaryInputProtocol, TCompactInputProtocol, TFieldIdentifier, TInputProtocol, TType,
};
use thrift::{ProtocolError, ProtocolErrorKind};

use crate::wire::Protocol;

/// The fields of a struct, which must have been walked: `1:i64` for a field 1 that holds an `i64`. A text that is none is
/// an object with its bytes as `base64`; maps are arrays of pairs.
///
/// # Errors
/// If the bytes are no struct.
pub(crate) fn read_bare(protocol: Protocol, body: &[u8]) -> thrift::Result<Map<String, Json>> {
    read(protocol, body, fields)
}

/// What `reading` finds in these bytes.
pub(super) fn read<T>(
    protocol: Protocol,
    body: &[u8],
    reading: impl FnOnce(&mut dyn TInputProtocol) -> T,
) -> T {
    match protocol {
        Protocol::Binary => reading(&mut TBinaryInputProtocol::new(body, true)),
        Protocol::Compact => reading(&mut TCompactInputProtocol::new(body)),
    }
}

/// What a field without a name is called.
pub(super) fn name(field: &TFieldIdentifier) -> String {
    format!("{}:{}", field.id.unwrap_or_default(), word(field.field_type))
}

/// A value of that type.
pub(super) fn value(input: &mut dyn TInputProtocol, kind: TType) -> thrift::Result<Json> {
    Ok(match kind {
        TType::Bool => input.read_bool()?.into(),
        TType::I08 => input.read_i8()?.into(),
        TType::I16 => input.read_i16()?.into(),
        TType::I32 => input.read_i32()?.into(),
        TType::I64 => input.read_i64()?.into(),
        TType::Double => double(input.read_double()?),
        TType::String | TType::Utf7 => text(input.read_bytes()?),
        TType::Uuid => input.read_uuid()?.to_string().into(),
        TType::Struct => Json::Object(fields(input)?),
        TType::List => {
            let found = input.read_list_begin()?;
            let elements = elements(input, found.element_type, found.size)?;
            input.read_list_end()?;
            elements
        }
        TType::Set => {
            let found = input.read_set_begin()?;
            let elements = elements(input, found.element_type, found.size)?;
            input.read_set_end()?;
            elements
        }
        TType::Map => pairs(input)?,
        TType::Stop | TType::Void => {
            let message = format!("a value cannot be of type {}", word(kind));
            return Err(ProtocolError::new(ProtocolErrorKind::InvalidData, message).into());
        }
    })
}

fn fields(input: &mut dyn TInputProtocol) -> thrift::Result<Map<String, Json>> {
    let mut object = Map::new();
    input.read_struct_begin()?;
    loop {
        let found = input.read_field_begin()?;
        if found.field_type == TType::Stop {
            break;
        }
        let read = value(input, found.field_type)?;
        object.insert(name(&found), read);
        input.read_field_end()?;
    }
    input.read_struct_end()?;
    Ok(object)
}

fn elements(input: &mut dyn TInputProtocol, kind: TType, size: i32) -> thrift::Result<Json> {
    (0..size).map(|_| value(input, kind)).collect::<thrift::Result<Vec<_>>>().map(Json::Array)
}

fn pairs(input: &mut dyn TInputProtocol) -> thrift::Result<Json> {
    let found = input.read_map_begin()?;
    // An empty map may have no types.
    let [key, to] = [found.key_type, found.value_type].map(|kind| kind.unwrap_or(TType::Stop));
    let pair = |_| Ok(Json::Array(vec![value(input, key)?, value(input, to)?]));
    let pairs = (0..found.size).map(pair).collect::<thrift::Result<Vec<_>>>()?;
    input.read_map_end()?;
    Ok(Json::Array(pairs))
}

/// Thrift has one code for text and bytes.
fn text(bytes: Vec<u8>) -> Json {
    String::from_utf8(bytes)
        .map_or_else(|error| json!({ "base64": STANDARD.encode(error.as_bytes()) }), Json::from)
}

/// A number, or the word for one that JSON has not.
pub(super) fn double(value: f64) -> Json {
    serde_json::Number::from_f64(value).map_or_else(
        || match value {
            _ if value.is_nan() => "NaN".into(),
            _ if value > 0.0 => "Infinity".into(),
            _ => "-Infinity".into(),
        },
        Json::Number,
    )
}

/// What IDL calls a type.
fn word(kind: TType) -> &'static str {
    match kind {
        TType::Bool => "bool",
        TType::I08 => "i8",
        TType::I16 => "i16",
        TType::I32 => "i32",
        TType::I64 => "i64",
        TType::Double => "double",
        TType::String | TType::Utf7 => "string",
        TType::Uuid => "uuid",
        TType::Struct => "struct",
        TType::List => "list",
        TType::Set => "set",
        TType::Map => "map",
        TType::Stop => "stop",
        TType::Void => "void",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::idl::Schema;
    use crate::idl::value::arguments;

    #[test]
    fn every_type_says_what_it_is() {
        let idl = "struct P { 1: string name, 2: binary blob }
            service S { void put(1: i64 id, 2: P part, 3: list<double> list, 4: set<i16> set, 5: map<i8, P> map,
                6: bool yes, 7: uuid uuid, 8: map<i8, i8> none, 9: i32 number) }";
        let schema = Schema::load(Path::new("s.thrift"), |_| Ok(idl.to_owned())).unwrap();
        let said = json!({
            "id": -5, "part": {"name": "é", "blob": "/wA="}, "list": [1.5, "NaN"], "set": [2], "map": [[1, {}]],
            "yes": true, "uuid": "00112233-4455-6677-8899-aabbccddeeff", "none": [], "number": 7,
        });
        let read = json!({
            "1:i64": -5, "2:struct": {"1:string": "é", "2:string": {"base64": "/wA="}}, "3:list": [1.5, "NaN"], "4:set": [2],
            "5:map": [[1, {}]], "6:bool": true, "7:uuid": "00112233-4455-6677-8899-aabbccddeeff", "8:map": [], "9:i32": 7,
        });
        let method = &schema.service("S").unwrap().methods["put"];
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let bytes = arguments(&schema, method, &said, protocol).unwrap();
            assert_eq!(read_bare(protocol, &bytes).map(Json::Object).unwrap(), read);
            for end in 0..bytes.len() {
                assert!(read_bare(protocol, &bytes[..end]).is_err(), "{end}");
            }
        }
    }
}
