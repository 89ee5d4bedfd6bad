//! Turns JSON into Thrift bytes, checked against the type it is to be, and Thrift bytes into JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use thrift::protocol::{TBinaryOutputProtocol, TCompactOutputProtocol, TOutputProtocol};

use super::DEPTH;
use super::schema::{Field, Method, Requirement, Schema, Structure, StructureKind, Type};
use crate::setting::Nearest;
use crate::wire::Protocol;

mod bare;
mod read;
mod reply;
mod scalar;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use bare::read_bare;
pub(crate) use read::{read_arguments, read_fields};
pub(crate) use reply::{Said, read_reply};

/// What does not fit, and where in the value it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {mistake}", if path.is_empty() { "value" } else { path })]
pub(crate) struct ValueProblem {
    /// The way to it: `.address.city`, `.friends[2]`, `.attributes["a"]`; empty for the whole value.
    pub path: String,
    /// What is wrong.
    pub mistake: ValueMistake,
}

/// What can be wrong with a JSON value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueMistake {
    /// Another kind of value, or a number out of range.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the schema asks for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A required field is absent or null.
    #[error("required by {0} but missing")]
    Missing(String),
    /// The structure or enum has no such field or constant.
    #[error("{owner} has no {name}{nearest}")]
    Unknown {
        /// The structure or enum.
        owner: String,
        /// What it does not have.
        name: String,
        /// The nearest name it has.
        nearest: Nearest,
    },
    /// An element of a set or a key of a map stands twice.
    #[error("stands there twice")]
    Twice,
    /// A union with no or several fields.
    #[error("expected exactly one field of {owner}, found {found}")]
    NotOneField {
        /// The union.
        owner: String,
        /// How many there are.
        found: usize,
    },
    /// Values in values beyond the bound.
    #[error("nested deeper than {limit}", limit = DEPTH)]
    TooDeep,
    /// The protocol cannot carry it.
    #[error("cannot be written: {0}")]
    Unwritable(String),
}

/// The bytes of the result of a method that returns that value: a struct with the value as field 0, or an empty one for a
/// `void` method, whose value is null.
///
/// Structs are objects by field name, and null or absent means that a field is left out; enums are constants' names or
/// numbers; `binary` is base64, `uuid` its usual text; doubles may also be the texts `NaN`, `Infinity` and `-Infinity`; sets
/// are arrays; maps are arrays of pairs, or objects if their keys are texts, integers, enums or bools. Elements of sets and
/// maps are written in a fixed order.
///
/// # Errors
///
/// The first thing that does not fit.
pub(crate) fn result(
    schema: &Schema,
    method: &Method,
    json: &Json,
    protocol: Protocol,
) -> Result<Vec<u8>, ValueProblem> {
    let value = match &method.returns {
        Some(ty) => Some((ty, Reading { schema }.value(ty, json, 0)?)),
        None if json.is_null() => None,
        None => return Err(unexpected("null, as the method is void", json)),
    };
    written(protocol, |out| wire::result(schema, value.as_ref(), out))
}

/// The bytes of a call's struct of arguments, given as an object by their names; null or absent means that one is left out.
///
/// # Errors
///
/// The first thing that does not fit.
pub(crate) fn arguments(
    schema: &Schema,
    method: &Method,
    json: &Json,
    protocol: Protocol,
) -> Result<Vec<u8>, ValueProblem> {
    let object = json.as_object().ok_or_else(|| unexpected("an object of arguments by name", json))?;
    let owner = format!("method {}", method.name);
    let values = Reading { schema }.fields(&owner, &method.arguments, object, 0)?;
    written(protocol, |out| wire::fields(schema, ("arguments", &method.arguments), &values, out))
}

/// The bytes of the reply of a call that ends with a declared exception, given as an object with the one field of `throws` that it is.
///
/// # Errors
///
/// The first thing that does not fit.
pub(crate) fn thrown(
    schema: &Schema,
    method: &Method,
    json: &Json,
    protocol: Protocol,
) -> Result<Vec<u8>, ValueProblem> {
    let object = json.as_object().ok_or_else(|| unexpected("an object with an exception", json))?;
    let values = Reading { schema }.fields(&format!("method {}", method.name), &method.throws, object, 0)?;
    written(protocol, |out| wire::fields(schema, ("result", &method.throws), &values, out))
}

fn written(
    protocol: Protocol,
    write: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> Result<Vec<u8>, ValueProblem> {
    let mut bytes = Vec::new();
    match protocol {
        Protocol::Binary => write(&mut TBinaryOutputProtocol::new(&mut bytes, true)),
        Protocol::Compact => write(&mut TCompactOutputProtocol::new(&mut bytes)),
    }
    .map_err(|error| unwritable(&error))?;
    Ok(bytes)
}

/// A value that fits its type. Ordered, so that sets and maps find what stands twice.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Bool(bool),
    Byte(i8),
    I16(i16),
    /// An `i32` or an enum.
    I32(i32),
    I64(i64),
    /// A double by its bits.
    Double(u64),
    /// A string or binary.
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
    /// Ids and values of the fields that are there.
    Struct(Vec<(i16, Self)>),
    List(Vec<Self>),
    Set(BTreeSet<Self>),
    Map(BTreeMap<Self, Self>),
}

struct Reading<'a> {
    schema: &'a Schema,
}

impl Reading<'_> {
    fn value(&self, ty: &Type, json: &Json, depth: usize) -> Result<Value, ValueProblem> {
        if depth > DEPTH {
            return Err(problem(ValueMistake::TooDeep));
        }
        let value = match ty {
            Type::Bool => json.as_bool().map(Value::Bool),
            Type::Byte => scalar::integer(json).map(Value::Byte),
            Type::I16 => scalar::integer(json).map(Value::I16),
            Type::I32 => scalar::integer(json).map(Value::I32),
            Type::I64 => scalar::integer(json).map(Value::I64),
            Type::Double => scalar::double(json).map(|number| Value::Double(number.to_bits())),
            Type::String => json.as_str().map(|text| Value::Bytes(text.into())),
            Type::Binary => json.as_str().and_then(scalar::binary).map(Value::Bytes),
            Type::Uuid => json.as_str().and_then(scalar::uuid).map(Value::Uuid),
            Type::Enum(id) => return scalar::constant(self.schema.enumeration(*id), json),
            Type::Struct(id) => {
                return self.structure(ty, self.schema.structure(*id), json, depth);
            }
            Type::List(element) => {
                let Some(array) = json.as_array() else {
                    return Err(self.misfit(ty, json));
                };
                let elements = array.iter().enumerate().map(|(i, json)| {
                    self.value(element, json, depth + 1).map_err(|problem| problem.within(&format!("[{i}]")))
                });
                return elements.collect::<Result<_, _>>().map(Value::List);
            }
            Type::Set(element) => return self.set(ty, element, json, depth),
            Type::Map(key, value) => return self.map(ty, (key, value), json, depth),
        };
        value.ok_or_else(|| self.misfit(ty, json))
    }

    fn structure(
        &self,
        ty: &Type,
        structure: &Structure,
        json: &Json,
        depth: usize,
    ) -> Result<Value, ValueProblem> {
        let object = json.as_object().ok_or_else(|| self.misfit(ty, json))?;
        let owner = self.schema.type_name(ty);
        let values = self.fields(&owner, &structure.fields, object, depth)?;
        if structure.kind == StructureKind::Union && values.len() != 1 {
            return Err(problem(ValueMistake::NotOneField { owner, found: values.len() }));
        }
        Ok(Value::Struct(values))
    }

    /// The fields of `owner` that an object has, with their ids.
    fn fields(
        &self,
        owner: &str,
        fields: &[Field],
        object: &Map<String, Json>,
        depth: usize,
    ) -> Result<Vec<(i16, Value)>, ValueProblem> {
        for name in object.keys() {
            if !fields.iter().any(|field| field.name == *name) {
                let nearest = Nearest::of(name, fields.iter().map(|field| field.name.as_str()));
                let mistake = ValueMistake::Unknown { owner: owner.to_owned(), name: name.clone(), nearest };
                return Err(problem(mistake).within(&format!(".{name}")));
            }
        }
        let mut values = Vec::new();
        for Field { id, name, ty, requirement, .. } in fields {
            let place = |problem: ValueProblem| problem.within(&format!(".{name}"));
            match object.get(name) {
                Some(json) if !json.is_null() => {
                    values.push((*id, self.value(ty, json, depth + 1).map_err(place)?));
                }
                Some(_) | None => match requirement {
                    Requirement::Required => {
                        return Err(place(problem(ValueMistake::Missing(owner.to_owned()))));
                    }
                    Requirement::Optional | Requirement::Default => {}
                },
            }
        }
        Ok(values)
    }

    fn set(&self, ty: &Type, element: &Type, json: &Json, depth: usize) -> Result<Value, ValueProblem> {
        let mut set = BTreeSet::new();
        for (i, json) in json.as_array().ok_or_else(|| self.misfit(ty, json))?.iter().enumerate() {
            let place = |problem: ValueProblem| problem.within(&format!("[{i}]"));
            if !set.insert(self.value(element, json, depth + 1).map_err(place)?) {
                return Err(place(problem(ValueMistake::Twice)));
            }
        }
        Ok(Value::Set(set))
    }

    fn map(
        &self,
        ty: &Type,
        (key, value): (&Type, &Type),
        json: &Json,
        depth: usize,
    ) -> Result<Value, ValueProblem> {
        let mut map = BTreeMap::new();
        for (place, key_json, value_json) in self.pairs(ty, key, json)? {
            let read_key = self.value(key, &key_json, depth + 1).map_err(|problem| problem.within(&place))?;
            let read = self.value(value, value_json, depth + 1).map_err(|problem| problem.within(&place))?;
            if map.insert(read_key, read).is_some() {
                return Err(problem(ValueMistake::Twice).within(&place));
            }
        }
        Ok(Value::Map(map))
    }

    /// The entries of a map with their places: of an object, or of an array of pairs.
    fn pairs<'j>(
        &self,
        ty: &Type,
        key: &Type,
        json: &'j Json,
    ) -> Result<Vec<(String, Json, &'j Json)>, ValueProblem> {
        if let Some(object) = json.as_object() {
            let entries = object.iter().map(|(name, value)| {
                let place = format!("[{name:?}]");
                let key =
                    scalar::key_of(key, name).ok_or_else(|| self.misfit(key, &Json::from(name.as_str())));
                key.map(|key| (place.clone(), key, value)).map_err(|problem| problem.within(&place))
            });
            return entries.collect();
        }
        let array = json.as_array().ok_or_else(|| self.misfit(ty, json))?;
        let entries = array.iter().enumerate().map(|(i, pair)| {
            let place = format!("[{i}]");
            match pair.as_array().map(Vec::as_slice) {
                Some([key, value]) => Ok((place, key.clone(), value)),
                Some(_) | None => Err(unexpected("a pair [key, value]", pair).within(&place)),
            }
        });
        entries.collect()
    }

    fn misfit(&self, ty: &Type, json: &Json) -> ValueProblem {
        let name = self.schema.type_name(ty);
        let form = match ty {
            Type::Binary => " in base64",
            Type::List(_) | Type::Set(_) => " as an array",
            Type::Map(..) => " as an object or an array of pairs",
            Type::Struct(_) => " as an object",
            Type::Bool | Type::Byte | Type::I16 | Type::I32 | Type::I64 | Type::Double => "",
            Type::String | Type::Uuid | Type::Enum(_) => "",
        };
        unexpected(&format!("{name}{form}"), json)
    }
}

impl ValueProblem {
    /// The same problem, seen from one step further out.
    fn within(self, step: &str) -> Self {
        Self { path: format!("{step}{}", self.path), mistake: self.mistake }
    }
}

fn problem(mistake: ValueMistake) -> ValueProblem {
    ValueProblem { path: String::new(), mistake }
}

fn unexpected(expected: &str, json: &Json) -> ValueProblem {
    let found = match json {
        Json::Array(array) => format!("an array of {}", array.len()),
        Json::Object(_) => "an object".to_owned(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            let text = json.to_string();
            if text.chars().count() <= SHOWN {
                text
            } else {
                text.chars().take(SHOWN).chain(['…']).collect()
            }
        }
    };
    problem(ValueMistake::Unexpected { expected: expected.to_owned(), found })
}

fn unwritable(error: &thrift::Error) -> ValueProblem {
    problem(ValueMistake::Unwritable(error.to_string()))
}

/// Characters of a wrong value that a message shows.
const SHOWN: usize = 40;
