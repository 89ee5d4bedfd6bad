//! Turns Thrift bytes into JSON by a schema: the way back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};
use thrift::protocol::{TInputProtocol, TListIdentifier, TMapIdentifier, TSetIdentifier, TType};

use super::bare::{self, double, read};
use super::wire::code;
use crate::idl::schema::{Enum, Field, Method, Schema, Type};
use crate::wire::Protocol;

/// The arguments of a call by their names, out of its struct, which must have been walked: nothing else bounds how deep it is nested.
/// Fields that the method does not have, or has of another type, are left out. Values are spelled as [`super::arguments`] reads them.
///
/// # Errors
/// If the bytes are no struct, or a text is none.
pub(crate) fn read_arguments(
    schema: &Schema,
    method: &Method,
    protocol: Protocol,
    body: &[u8],
) -> thrift::Result<Map<String, Json>> {
    read(protocol, body, |input| {
        Reading { schema, input, strangers: Strangers::LeftOut }.fields(&method.arguments)
    })
}

/// The fields of a struct, which must have been walked, by the names that `declared` has for them. Those that it does not have, or has of another
/// type, are there by their ids and types, as [`super::bare`] spells them.
///
/// # Errors
/// If the bytes are no struct, or a text is none.
pub(crate) fn read_fields(
    schema: &Schema,
    declared: &[Field],
    protocol: Protocol,
    body: &[u8],
) -> thrift::Result<Map<String, Json>> {
    read(protocol, body, |input| Reading { schema, input, strangers: Strangers::Kept }.fields(declared))
}

/// What becomes of fields that the schema does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strangers {
    LeftOut,
    Kept,
}

struct Reading<'a> {
    schema: &'a Schema,
    input: &'a mut dyn TInputProtocol,
    strangers: Strangers,
}

impl Reading<'_> {
    fn fields(&mut self, declared: &[Field]) -> thrift::Result<Map<String, Json>> {
        let mut object = Map::new();
        self.input.read_struct_begin()?;
        loop {
            let found = self.input.read_field_begin()?;
            if found.field_type == TType::Stop {
                break;
            }
            let is_it = |field: &&Field| Some(field.id) == found.id && code(&field.ty) == found.field_type;
            match (declared.iter().find(is_it), self.strangers) {
                (Some(Field { name, ty, .. }), _) => {
                    let value = self.value(ty)?;
                    object.insert(name.clone(), value);
                }
                (None, Strangers::LeftOut) => self.input.skip(found.field_type)?,
                (None, Strangers::Kept) => {
                    object.insert(bare::name(&found), bare::value(self.input, found.field_type)?);
                }
            }
            self.input.read_field_end()?;
        }
        self.input.read_struct_end()?;
        Ok(object)
    }

    fn value(&mut self, ty: &Type) -> thrift::Result<Json> {
        Ok(match ty {
            Type::Bool => self.input.read_bool()?.into(),
            Type::Byte => self.input.read_i8()?.into(),
            Type::I16 => self.input.read_i16()?.into(),
            Type::I32 => self.input.read_i32()?.into(),
            Type::I64 => self.input.read_i64()?.into(),
            Type::Double => double(self.input.read_double()?),
            Type::String => self.input.read_string()?.into(),
            Type::Binary => STANDARD.encode(self.input.read_bytes()?).into(),
            Type::Uuid => self.input.read_uuid()?.to_string().into(),
            Type::Enum(id) => constant(self.schema.enumeration(*id), self.input.read_i32()?),
            Type::Struct(id) => {
                let schema = self.schema;
                Json::Object(self.fields(&schema.structure(*id).fields)?)
            }
            Type::List(element) => {
                let TListIdentifier { element_type, size } = self.input.read_list_begin()?;
                let elements = self.elements(element, element_type, size)?;
                self.input.read_list_end()?;
                elements
            }
            Type::Set(element) => {
                let TSetIdentifier { element_type, size } = self.input.read_set_begin()?;
                let elements = self.elements(element, element_type, size)?;
                self.input.read_set_end()?;
                elements
            }
            Type::Map(key, to) => self.pairs(key, to)?,
        })
    }

    fn elements(&mut self, element: &Type, found: TType, size: i32) -> thrift::Result<Json> {
        let elements = (0..size).map(|_| self.element(element, Some(found)));
        elements.collect::<thrift::Result<Vec<_>>>().map(Json::Array)
    }

    fn pairs(&mut self, key: &Type, to: &Type) -> thrift::Result<Json> {
        let TMapIdentifier { key_type, value_type, size } = self.input.read_map_begin()?;
        let pair = |_| Ok(Json::Array(vec![self.element(key, key_type)?, self.element(to, value_type)?]));
        let pairs = (0..size).map(pair).collect::<thrift::Result<Vec<_>>>()?;
        self.input.read_map_end()?;
        Ok(Json::Array(pairs))
    }

    /// A value in a container that says what it holds: the schema's word does not move the bytes.
    fn element(&mut self, declared: &Type, found: Option<TType>) -> thrift::Result<Json> {
        match found {
            Some(found) if found != code(declared) => bare::value(self.input, found),
            Some(_) | None => self.value(declared),
        }
    }
}

fn constant(known: &Enum, value: i32) -> Json {
    let found = known.constants.iter().find(|(_, number)| *number == value);
    found.map_or_else(|| value.into(), |(name, _)| name.as_str().into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::idl::value::arguments;

    const IDL: &str = "enum Size { SMALL = 1, LARGE = 2 } struct Part { 1: string name, 2: optional Size size }
        service S { void put(1: i64 id, 2: Part part, 3: list<double> list, 4: set<binary> set, 5: map<string, Part> map, 6: bool yes, 7: uuid uuid) }
        service Older { void put(1: i64 id, 2: string part) }";

    fn schema() -> Schema {
        Schema::load(Path::new("s.thrift"), |_| Ok(IDL.to_owned())).unwrap()
    }

    #[test]
    fn what_was_written_is_read_in_the_same_spelling() {
        let schema = schema();
        let method = &schema.service("S").unwrap().methods["put"];
        let said = json!({
            "id": -5,
            "part": {"name": "a", "size": "LARGE"},
            "list": [1.5, "NaN", "-Infinity"],
            "set": ["AAE="],
            "map": [["k", {"name": "b"}]],
            "yes": true,
            "uuid": "00112233-4455-6677-8899-aabbccddeeff",
        });
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let bytes = arguments(&schema, method, &said, protocol).unwrap();
            assert_eq!(read_arguments(&schema, method, protocol, &bytes).map(Json::Object).unwrap(), said);
            for end in 0..bytes.len() {
                assert!(read_arguments(&schema, method, protocol, &bytes[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn what_the_method_does_not_have_is_left_out() {
        let schema = schema();
        let [newer, older] = ["S", "Older"].map(|service| &schema.service(service).unwrap().methods["put"]);
        let bytes =
            arguments(&schema, newer, &json!({"id": 7, "part": {"name": "a"}}), Protocol::Binary).unwrap();
        let read = read_arguments(&schema, older, Protocol::Binary, &bytes).unwrap();
        assert_eq!(Json::Object(read), json!({"id": 7}));
        let read = read_fields(&schema, &older.arguments, Protocol::Binary, &bytes).unwrap();
        assert_eq!(Json::Object(read), json!({"id": 7, "2:struct": {"1:string": "a"}}));
    }

    #[test]
    fn a_container_of_other_things_than_declared_is_read_as_what_it_is() {
        let schema = shapes();
        let [wide, narrow] =
            ["Wide", "Narrow"].map(|service| &schema.service(service).unwrap().methods["put"]);
        let said = json!({"list": [1, 2], "set": [3], "map": [["a", 4]]});
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let bytes = arguments(&schema, wide, &said, protocol).unwrap();
            let read = read_arguments(&schema, narrow, protocol, &bytes).unwrap();
            assert_eq!(Json::Object(read), said);
        }
    }

    fn shapes() -> Schema {
        let idl = "service Wide { void put(1: list<i64> list, 2: set<i64> set, 3: map<string, i64> map) }
            service Narrow { void put(1: list<i16> list, 2: set<i32> set, 3: map<i8, bool> map) }";
        Schema::load(Path::new("s.thrift"), |_| Ok(idl.to_owned())).unwrap()
    }
}
