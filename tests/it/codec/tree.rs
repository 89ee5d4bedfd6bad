//! Values as trees: made at random, written by the official crate in any order, and read back by a reader of our own.

use std::collections::{BTreeMap, BTreeSet};

use larder::wire::{Protocol, Type};
use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TCompactOutputProtocol, TFieldIdentifier, TInputProtocol,
    TListIdentifier, TMapIdentifier, TOutputProtocol, TSetIdentifier, TStructIdentifier, TType,
};

/// A value. Doubles stand by their bits. The elements of sets and entries of maps ascend and differ, so equal trees are the same call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Bool(bool),
    Byte(i8),
    Double(u64),
    I16(i16),
    I32(i32),
    I64(i64),
    String(Vec<u8>),
    Uuid([u8; 16]),
    Struct(BTreeMap<i16, Self>),
    List(Kind, Vec<Self>),
    Set(Kind, BTreeSet<Self>),
    /// Without types where empty: the compact protocol carries none.
    Map(Option<(Kind, Kind)>, BTreeMap<Self, Self>),
}

/// A binary type code.
pub(super) type Kind = u8;

const SCALARS: [Type; 8] =
    [Type::Bool, Type::Byte, Type::Double, Type::I16, Type::I32, Type::I64, Type::String, Type::Uuid];
const NESTED: [Type; 4] = [Type::Struct, Type::Map, Type::Set, Type::List];

/// Arguments of any kind, a few levels deep.
pub(super) fn arguments() -> impl Strategy<Value = Value> {
    of(Type::Struct, 4)
}

/// Any value, at most `depth` levels deep.
pub(super) fn any_value(depth: u32) -> BoxedStrategy<Value> {
    kind(depth).prop_flat_map(move |kind| of(kind, depth)).boxed()
}

fn kind(depth: u32) -> BoxedStrategy<Type> {
    let scalar = proptest::sample::select(SCALARS.to_vec());
    if depth == 0 {
        return scalar.boxed();
    }
    prop_oneof![scalar, proptest::sample::select(NESTED.to_vec())].boxed()
}

fn of(kind: Type, depth: u32) -> BoxedStrategy<Value> {
    let inner = depth.saturating_sub(1);
    match kind {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Byte => any::<i8>().prop_map(Value::Byte).boxed(),
        Type::Double => any::<u64>().prop_map(Value::Double).boxed(),
        Type::I16 => any::<i16>().prop_map(Value::I16).boxed(),
        Type::I32 => prop_oneof![any::<i32>(), -70..70].prop_map(Value::I32).boxed(),
        Type::I64 => prop_oneof![any::<i64>(), -70..70_i64].prop_map(Value::I64).boxed(),
        Type::String => vec(any::<u8>(), 0..6).prop_map(Value::String).boxed(),
        Type::Uuid => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
        Type::Struct => fields(inner).prop_map(Value::Struct).boxed(),
        Type::List => self::kind(inner)
            .prop_flat_map(move |kind| {
                vec(of(kind, inner), 0..4).prop_map(move |all| Value::List(kind as Kind, all))
            })
            .boxed(),
        Type::Set => self::kind(inner)
            .prop_flat_map(move |kind| {
                vec(of(kind, inner), 0..5)
                    .prop_map(move |all| Value::Set(kind as Kind, all.into_iter().collect()))
            })
            .boxed(),
        Type::Map => (self::kind(inner), self::kind(inner))
            .prop_flat_map(move |(key, value)| {
                vec((of(key, inner), of(value, inner)), 0..5).prop_map(move |all| {
                    let types = (!all.is_empty()).then_some((key as Kind, value as Kind));
                    Value::Map(types, all.into_iter().collect())
                })
            })
            .boxed(),
    }
}

fn fields(depth: u32) -> impl Strategy<Value = BTreeMap<i16, Value>> {
    // The official compact writer subtracts ids from each other in 16 bits and panics beyond this.
    let id = prop_oneof![4 => 1..20_i16, 1 => -5..40_i16, 1 => -16_000..16_000_i16];
    vec((id, any_value(depth)), 0..5).prop_map(|all| all.into_iter().collect())
}

/// What is left open in how a value is written.
struct Manner {
    /// Decides the order of fields, elements and entries, and the types of empty maps.
    order: StdRng,
    /// Those types, where they are not left to it.
    empty_map: Option<(Kind, Kind)>,
}

impl Value {
    /// Its binary type code.
    pub(super) fn kind(&self) -> Kind {
        let kind = match self {
            Self::Bool(_) => Type::Bool,
            Self::Byte(_) => Type::Byte,
            Self::Double(_) => Type::Double,
            Self::I16(_) => Type::I16,
            Self::I32(_) => Type::I32,
            Self::I64(_) => Type::I64,
            Self::String(_) => Type::String,
            Self::Uuid(_) => Type::Uuid,
            Self::Struct(_) => Type::Struct,
            Self::List(..) => Type::List,
            Self::Set(..) => Type::Set,
            Self::Map(..) => Type::Map,
        };
        kind as Kind
    }

    /// Whether two ids of a struct, or one and none, are so far apart.
    pub(super) fn has_step(&self, step: i16) -> bool {
        match self {
            Self::Struct(fields) => {
                let ids = || std::iter::once(0).chain(fields.keys().copied());
                ids().any(|from| ids().any(|to| to - from == step))
                    || fields.values().any(|value| value.has_step(step))
            }
            Self::List(_, all) => all.iter().any(|value| value.has_step(step)),
            Self::Set(_, all) => all.iter().any(|value| value.has_step(step)),
            Self::Map(_, all) => all.iter().any(|(key, value)| key.has_step(step) || value.has_step(step)),
            Self::Bool(_) | Self::Byte(_) | Self::Double(_) | Self::I16(_) | Self::I32(_) | Self::I64(_) => {
                false
            }
            Self::String(_) | Self::Uuid(_) => false,
        }
    }

    /// Its bytes as the official crate writes them; `seed` decides the order of fields, elements and entries.
    pub(super) fn written(&self, protocol: Protocol, seed: u64) -> Vec<u8> {
        self.written_in(protocol, Manner { order: StdRng::seed_from_u64(seed), empty_map: None })
    }

    /// The same in binary, where the types of all empty maps are those of texts.
    pub(super) fn with_empty_maps_of_texts(&self, seed: u64) -> Vec<u8> {
        let text = Type::String as Kind;
        let manner = Manner { order: StdRng::seed_from_u64(seed), empty_map: Some((text, text)) };
        self.written_in(Protocol::Binary, manner)
    }

    fn written_in(&self, protocol: Protocol, mut manner: Manner) -> Vec<u8> {
        let mut bytes = Vec::new();
        match protocol {
            Protocol::Binary => self.write(&mut TBinaryOutputProtocol::new(&mut bytes, true), &mut manner),
            Protocol::Compact => self.write(&mut TCompactOutputProtocol::new(&mut bytes), &mut manner),
        }
        .unwrap();
        bytes
    }

    fn write(&self, out: &mut dyn TOutputProtocol, manner: &mut Manner) -> thrift::Result<()> {
        match self {
            Self::Bool(value) => out.write_bool(*value),
            Self::Byte(value) => out.write_i8(*value),
            Self::Double(bits) => out.write_double(f64::from_bits(*bits)),
            Self::I16(value) => out.write_i16(*value),
            Self::I32(value) => out.write_i32(*value),
            Self::I64(value) => out.write_i64(*value),
            Self::String(value) => out.write_bytes(value),
            Self::Uuid(value) => {
                let uuid = TBinaryInputProtocol::new(&value[..], true).read_uuid()?;
                out.write_uuid(&uuid)
            }
            Self::Struct(fields) => {
                out.write_struct_begin(&TStructIdentifier::new("any"))?;
                for (id, value) in shuffled(fields, &mut manner.order) {
                    out.write_field_begin(&TFieldIdentifier::new("any", official(value.kind()), *id))?;
                    value.write(out, manner)?;
                    out.write_field_end()?;
                }
                out.write_field_stop()?;
                out.write_struct_end()
            }
            Self::List(kind, all) => {
                out.write_list_begin(&TListIdentifier::new(official(*kind), all.len() as i32))?;
                all.iter().try_for_each(|value| value.write(out, manner))?;
                out.write_list_end()
            }
            Self::Set(kind, all) => {
                out.write_set_begin(&TSetIdentifier::new(official(*kind), all.len() as i32))?;
                for value in shuffled(all, &mut manner.order) {
                    value.write(out, manner)?;
                }
                out.write_set_end()
            }
            Self::Map(types, all) => {
                // Any types will do for an empty map; what is drawn shows that they do not matter.
                let any = shuffled([8, 11, 12, 2], &mut manner.order);
                let (key, value) = types.or(manner.empty_map).unwrap_or((any[0], any[1]));
                let size = all.len() as i32;
                out.write_map_begin(&TMapIdentifier::new(official(key), official(value), size))?;
                for (key, value) in shuffled(all, &mut manner.order) {
                    key.write(out, manner)?;
                    value.write(out, manner)?;
                }
                out.write_map_end()
            }
        }
    }
}

fn shuffled<T>(all: impl IntoIterator<Item = T>, order: &mut StdRng) -> Vec<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    all.shuffle(order);
    all
}

/// The official crate's name for a binary type code.
fn official(kind: Kind) -> TType {
    match kind {
        2 => TType::Bool,
        3 => TType::I08,
        4 => TType::Double,
        6 => TType::I16,
        8 => TType::I32,
        10 => TType::I64,
        11 => TType::String,
        12 => TType::Struct,
        13 => TType::Map,
        14 => TType::Set,
        15 => TType::List,
        16 => TType::Uuid,
        kind => panic!("type code {kind}"),
    }
}

/// The tree that canonical bytes stand for. Whoever can read them back has shown that no two trees share them.
pub(super) fn read(bytes: &[u8]) -> Value {
    let mut at = At(bytes);
    let value = at.value(Type::Struct as Kind);
    assert!(at.0.is_empty(), "{} bytes are left", at.0.len());
    value
}

struct At<'a>(&'a [u8]);

impl At<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk::<N>().unwrap();
        self.0 = rest;
        *taken
    }

    fn count(&mut self) -> usize {
        u32::from_be_bytes(self.take()) as usize
    }

    fn value(&mut self, kind: Kind) -> Value {
        match kind {
            2 => Value::Bool(self.take() == [1]),
            3 => Value::Byte(i8::from_be_bytes(self.take())),
            4 => Value::Double(u64::from_be_bytes(self.take())),
            6 => Value::I16(i16::from_be_bytes(self.take())),
            8 => Value::I32(i32::from_be_bytes(self.take())),
            10 => Value::I64(i64::from_be_bytes(self.take())),
            11 => {
                let count = self.count();
                let (text, rest) = self.0.split_at(count);
                self.0 = rest;
                Value::String(text.to_vec())
            }
            16 => Value::Uuid(self.take()),
            12 => self.structure(),
            13 => self.map(),
            14 => {
                let [kind] = self.take();
                Value::Set(kind, (0..self.count()).map(|_| self.value(kind)).collect())
            }
            15 => {
                let [kind] = self.take();
                Value::List(kind, (0..self.count()).map(|_| self.value(kind)).collect())
            }
            kind => panic!("type code {kind}"),
        }
    }

    fn structure(&mut self) -> Value {
        let mut fields = BTreeMap::new();
        loop {
            let [kind] = self.take();
            if kind == 0 {
                return Value::Struct(fields);
            }
            let id = i16::from_be_bytes(self.take());
            fields.insert(id, self.value(kind));
        }
    }

    fn map(&mut self) -> Value {
        let [key, value] = self.take();
        let count = self.count();
        let types = (count > 0).then_some((key, value));
        let all = (0..count).map(|_| (self.value(key), self.value(value))).collect();
        Value::Map(types, all)
    }
}
