//! Reads the values that are one word in JSON, and the names of objects that are keys of maps.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value as Json;

use super::{Value, ValueMistake, ValueProblem, problem, unexpected};
use crate::idl::schema::{Enum, Type};
use crate::setting::Nearest;

pub(super) fn integer<N: TryFrom<i64>>(json: &Json) -> Option<N> {
    json.as_i64().and_then(|number| N::try_from(number).ok())
}

pub(super) fn double(json: &Json) -> Option<f64> {
    match json.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => json.as_f64(),
    }
}

pub(super) fn uuid(text: &str) -> Option<[u8; 16]> {
    let hyphens = text.match_indices('-').map(|(at, _)| at);
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let plain = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !plain || !(text.len() == 32 || hyphens.eq([8, 13, 18, 23])) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

pub(super) fn constant(known: &Enum, json: &Json) -> Result<Value, ValueProblem> {
    let (name, number) = (json.as_str(), integer::<i32>(json));
    let found = known.constants.iter().find(|(its, value)| name == Some(its) || number == Some(*value));
    if let Some((_, value)) = found {
        return Ok(Value::I32(*value));
    }
    let owner = format!("enum {}", known.name);
    let Some(name) = name.map(str::to_owned).or_else(|| number.map(|number| number.to_string())) else {
        return Err(unexpected(&owner, json));
    };
    let nearest = Nearest::of(&name, known.constants.iter().map(|(name, _)| name.as_str()));
    Err(problem(ValueMistake::Unknown { owner, name, nearest }))
}

/// The JSON value a name in an object is as a key of that type; none if such keys have no form as a name.
pub(super) fn key_of(ty: &Type, name: &str) -> Option<Json> {
    match ty {
        Type::String | Type::Binary | Type::Uuid => Some(Json::from(name)),
        Type::Bool => name.parse::<bool>().ok().map(Json::from),
        Type::Byte | Type::I16 | Type::I32 | Type::I64 => name.parse::<i64>().ok().map(Json::from),
        Type::Enum(_) => Some(name.parse::<i32>().map_or_else(|_| Json::from(name), Json::from)),
        Type::Double | Type::Struct(_) | Type::List(_) | Type::Set(_) | Type::Map(..) => None,
    }
}

/// The bytes that a text in base64 stands for, with or without padding.
pub(super) fn binary(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_or_without_padding() {
        let check = |text: &str, expected: Option<&[u8]>| {
            assert_eq!(binary(text).as_deref(), expected, "{text}");
        };
        check("", Some(b""));
        check("Zg==", Some(b"f"));
        check("Zg", Some(b"f"));
        check("Zm8=", Some(b"fo"));
        check("Zm9vYmFy", Some(b"foobar"));
        check("+/+/", Some(&[0xfb, 0xff, 0xbf]));
        check("Z", None);
        check("Zg===", None);
        check("Zg-_", None);
        check("Z=g=", None);
    }
}
