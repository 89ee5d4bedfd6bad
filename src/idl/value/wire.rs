//! Writes checked values through a Thrift protocol.

use thrift::protocol::{
    TBinaryInputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier, TOutputProtocol,
    TSetIdentifier, TStructIdentifier, TType,
};
use thrift::{ProtocolError, ProtocolErrorKind};

use super::{Field, Schema, Type, Value};
use crate::idl::StructId;

/// Writes the struct of a reply: the value as field 0, or no field.
pub(super) fn result(
    schema: &Schema,
    value: Option<&(&Type, Value)>,
    out: &mut dyn TOutputProtocol,
) -> thrift::Result<()> {
    out.write_struct_begin(&TStructIdentifier::new("result"))?;
    if let Some((ty, value)) = value {
        field(schema, (0, "success"), ty, value, out)?;
    }
    out.write_field_stop()?;
    out.write_struct_end()
}

/// Writes a value that was read for that type.
pub(super) fn value(
    schema: &Schema,
    ty: &Type,
    value: &Value,
    out: &mut dyn TOutputProtocol,
) -> thrift::Result<()> {
    match (value, ty) {
        (Value::Bool(it), _) => out.write_bool(*it),
        (Value::Byte(it), _) => out.write_i8(*it),
        (Value::I16(it), _) => out.write_i16(*it),
        (Value::I32(it), _) => out.write_i32(*it),
        (Value::I64(it), _) => out.write_i64(*it),
        (Value::Double(bits), _) => out.write_double(f64::from_bits(*bits)),
        (Value::Bytes(it), _) => out.write_bytes(it),
        (Value::Uuid(it), _) => {
            let uuid = TBinaryInputProtocol::new(it.as_slice(), true).read_uuid()?;
            out.write_uuid(&uuid)
        }
        (Value::Struct(fields), Type::Struct(id)) => structure(schema, *id, fields, out),
        (Value::List(elements), Type::List(element)) => {
            out.write_list_begin(&TListIdentifier::new(code(element), size(elements.len())?))?;
            elements.iter().try_for_each(|it| self::value(schema, element, it, out))?;
            out.write_list_end()
        }
        (Value::Set(elements), Type::Set(element)) => {
            out.write_set_begin(&TSetIdentifier::new(code(element), size(elements.len())?))?;
            elements.iter().try_for_each(|it| self::value(schema, element, it, out))?;
            out.write_set_end()
        }
        (Value::Map(entries), Type::Map(key, to)) => {
            out.write_map_begin(&TMapIdentifier::new(code(key), code(to), size(entries.len())?))?;
            for (from, it) in entries {
                self::value(schema, key, from, out)?;
                self::value(schema, to, it, out)?;
            }
            out.write_map_end()
        }
        (Value::Struct(_) | Value::List(_) | Value::Set(_) | Value::Map(_), _) => {
            Err(refused("value was read for another type"))
        }
    }
}

fn structure(
    schema: &Schema,
    id: StructId,
    values: &[(i16, Value)],
    out: &mut dyn TOutputProtocol,
) -> thrift::Result<()> {
    let structure = schema.structure(id);
    fields(schema, (&structure.name, &structure.fields), values, out)
}

/// Writes a struct of these values, which `declared` has under its name.
pub(super) fn fields(
    schema: &Schema,
    (name, declared): (&str, &[Field]),
    values: &[(i16, Value)],
    out: &mut dyn TOutputProtocol,
) -> thrift::Result<()> {
    out.write_struct_begin(&TStructIdentifier::new(name))?;
    for (id, value) in values {
        let known = declared.iter().find(|field| field.id == *id);
        let known = known.ok_or_else(|| refused("value has a field of another structure"))?;
        field(schema, (*id, &known.name), &known.ty, value, out)?;
    }
    out.write_field_stop()?;
    out.write_struct_end()
}

fn field(
    schema: &Schema,
    (id, name): (i16, &str),
    ty: &Type,
    value: &Value,
    out: &mut dyn TOutputProtocol,
) -> thrift::Result<()> {
    out.write_field_begin(&TFieldIdentifier::new(name, code(ty), id))?;
    self::value(schema, ty, value, out)?;
    out.write_field_end()
}

/// The type's code.
pub(super) fn code(ty: &Type) -> TType {
    match ty {
        Type::Bool => TType::Bool,
        Type::Byte => TType::I08,
        Type::I16 => TType::I16,
        Type::I32 | Type::Enum(_) => TType::I32,
        Type::I64 => TType::I64,
        Type::Double => TType::Double,
        Type::String | Type::Binary => TType::String,
        Type::Uuid => TType::Uuid,
        Type::Struct(_) => TType::Struct,
        Type::List(_) => TType::List,
        Type::Set(_) => TType::Set,
        Type::Map(..) => TType::Map,
    }
}

fn size(length: usize) -> thrift::Result<i32> {
    i32::try_from(length).map_err(|_| refused("container is too large"))
}

fn refused(message: &str) -> thrift::Error {
    thrift::Error::Protocol(ProtocolError::new(ProtocolErrorKind::InvalidData, message))
}
