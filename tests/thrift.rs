//! Thrift messages, written and read byte by byte, so that tests can also say what no library would.

#[path = "thrift/read.rs"]
mod read;

#[allow(unused_imports, reason = "not all who speak with these words speak of headers")]
pub(crate) use read::unwrapped;

/// How messages stand on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) transport: Transport,
    pub(crate) protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Framed,
    Unframed,
    /// Thrift's header transport.
    Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Binary,
    /// Binary with the header from before versions: name, type, seqid.
    Lenient,
    Compact,
}

impl Wire {
    pub(crate) const ALL: [Self; 6] = [
        Self::of(Transport::Framed, Protocol::Binary),
        Self::of(Transport::Unframed, Protocol::Binary),
        Self::of(Transport::Framed, Protocol::Compact),
        Self::of(Transport::Unframed, Protocol::Compact),
        Self::of(Transport::Header, Protocol::Binary),
        Self::of(Transport::Header, Protocol::Compact),
    ];

    /// Those that every library speaks.
    pub(crate) const EVERYBODYS: &[Self] = Self::ALL.split_at(4).0;

    pub(crate) const fn of(transport: Transport, protocol: Protocol) -> Self {
        Self { transport, protocol }
    }

    pub(crate) const fn framed() -> Self {
        Self::of(Transport::Framed, Protocol::Binary)
    }

    pub(crate) const fn unframed() -> Self {
        Self::of(Transport::Unframed, Protocol::Binary)
    }

    /// The transport's name in the configuration.
    pub(crate) fn transport_name(self) -> &'static str {
        match self.transport {
            Transport::Framed => "framed",
            Transport::Unframed => "unframed",
            Transport::Header => "header",
        }
    }

    /// The protocol's name in the configuration.
    pub(crate) fn protocol_name(self) -> &'static str {
        match self.protocol {
            Protocol::Binary | Protocol::Lenient => "binary",
            Protocol::Compact => "compact",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Call = 1,
    Reply = 2,
    Exception = 3,
    Oneway = 4,
}

/// A value of the types that the tests speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    /// A boolean of this byte, as no library writes it; it can only be an element.
    OddBool(u8),
    /// A byte of a type that Thrift does not have yet.
    Future(u8),
    I32(i32),
    I64(i64),
    String(String),
    Struct(Fields),
    List(Vec<Self>),
    Set(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

/// A struct's fields, in the order they are sent.
pub(crate) type Fields = Vec<(i16, Value)>;

/// One message, its struct still or already understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) seqid: i32,
    pub(crate) fields: Fields,
}

impl Message {
    pub(crate) fn call(name: &str, seqid: i32, fields: Fields) -> Self {
        Self { kind: Kind::Call, name: name.to_owned(), seqid, fields }
    }

    pub(crate) fn oneway(name: &str, seqid: i32, fields: Fields) -> Self {
        Self { kind: Kind::Oneway, ..Self::call(name, seqid, fields) }
    }

    /// A TApplicationException.
    pub(crate) fn exception(name: &str, seqid: i32, code: i32, text: &str) -> Self {
        let fields = vec![(1, string(text)), (2, Value::I32(code))];
        Self { kind: Kind::Exception, ..Self::call(name, seqid, fields) }
    }

    pub(crate) fn field(&self, id: i16) -> Option<&Value> {
        field(&self.fields, id)
    }

    /// The bytes of this message on a connection.
    pub(crate) fn bytes(&self, wire: Wire) -> Vec<u8> {
        let body = self.body(wire.protocol);
        match wire.transport {
            Transport::Framed => frame(&body),
            Transport::Unframed => body,
            Transport::Header => wrap(self.seqid, wire.protocol, &[], &body),
        }
    }

    /// The message without a frame.
    pub(crate) fn body(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = Vec::new();
        match protocol {
            Protocol::Binary => {
                out.extend([0x80, 1, 0, self.kind as u8]);
                put_binary_text(&mut out, &self.name);
                out.extend(self.seqid.to_be_bytes());
            }
            Protocol::Lenient => {
                put_binary_text(&mut out, &self.name);
                out.push(self.kind as u8);
                out.extend(self.seqid.to_be_bytes());
            }
            Protocol::Compact => {
                out.extend([0x82, (self.kind as u8) << 5 | 1]);
                put_varint(&mut out, u64::from(self.seqid.cast_unsigned()));
                put_compact_text(&mut out, &self.name);
            }
        }
        put_fields(&mut out, &self.fields, protocol);
        out
    }
}

pub(crate) fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub(crate) fn field(fields: &Fields, id: i16) -> Option<&Value> {
    fields.iter().find(|(each, _)| *each == id).map(|(_, value)| value)
}

/// The bytes behind their length.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    out.extend(body);
    out
}

/// A message in a frame of the header transport, with these info headers.
pub(crate) fn wrap(seqid: i32, protocol: Protocol, info: &[(&str, &str)], message: &[u8]) -> Vec<u8> {
    let mut header = vec![if protocol == Protocol::Compact { 2 } else { 0 }, 0];
    if !info.is_empty() {
        header.extend([1, info.len() as u8]);
        for text in info.iter().flat_map(|(name, value)| [name, value]) {
            put_compact_text(&mut header, text);
        }
    }
    header.resize(header.len().next_multiple_of(4), 0);
    let words = u16::try_from(header.len() / 4).unwrap();
    let fixed = [&[0x0f, 0xff, 0, 0], &seqid.to_be_bytes()[..], &words.to_be_bytes()].concat();
    frame(&[fixed, header, message.to_vec()].concat())
}

fn put_fields(out: &mut Vec<u8>, fields: &Fields, protocol: Protocol) {
    let mut last = 0;
    for (id, value) in fields {
        if protocol == Protocol::Compact {
            put_compact_field(out, last, *id, value);
            last = *id;
        } else {
            out.push(binary_type(value));
            out.extend(id.to_be_bytes());
            put_binary(out, value, protocol);
        }
    }
    out.push(0);
}

fn put_binary(out: &mut Vec<u8>, value: &Value, protocol: Protocol) {
    match value {
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::OddBool(byte) | Value::Future(byte) => out.push(*byte),
        Value::I32(value) => out.extend(value.to_be_bytes()),
        Value::I64(value) => out.extend(value.to_be_bytes()),
        Value::String(text) => put_binary_text(out, text),
        Value::Struct(fields) => put_fields(out, fields, protocol),
        Value::List(values) | Value::Set(values) => {
            out.push(values.first().map_or(10, binary_type));
            out.extend(size(values.len()).to_be_bytes());
            values.iter().for_each(|value| put_binary(out, value, protocol));
        }
        Value::Map(pairs) => {
            out.push(pairs.first().map_or(11, |(key, _)| binary_type(key)));
            out.push(pairs.first().map_or(11, |(_, value)| binary_type(value)));
            out.extend(size(pairs.len()).to_be_bytes());
            for (key, value) in pairs {
                put_binary(out, key, protocol);
                put_binary(out, value, protocol);
            }
        }
    }
}

fn put_compact_field(out: &mut Vec<u8>, last: i16, id: i16, value: &Value) {
    let code = match value {
        Value::Bool(value) => 2 - u8::from(*value),
        other => compact_type(other),
    };
    let step = i32::from(id) - i32::from(last);
    if (1..=15).contains(&step) {
        out.push(u8::try_from(step).unwrap() << 4 | code);
    } else {
        out.push(code);
        put_zigzag(out, i64::from(id));
    }
    if !matches!(value, Value::Bool(_)) {
        put_compact(out, value);
    }
}

fn put_compact(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(value) => out.push(2 - u8::from(*value)),
        Value::OddBool(byte) | Value::Future(byte) => out.push(*byte),
        Value::I32(value) => put_zigzag(out, i64::from(*value)),
        Value::I64(value) => put_zigzag(out, *value),
        Value::String(text) => put_compact_text(out, text),
        Value::Struct(fields) => put_fields(out, fields, Protocol::Compact),
        Value::List(values) | Value::Set(values) => {
            let code = values.first().map_or(6, compact_type);
            if values.len() < 15 {
                out.push(u8::try_from(values.len()).unwrap() << 4 | code);
            } else {
                out.push(0xf0 | code);
                put_varint(out, values.len() as u64);
            }
            values.iter().for_each(|value| put_compact(out, value));
        }
        Value::Map(pairs) => {
            put_varint(out, pairs.len() as u64);
            if let Some((key, value)) = pairs.first() {
                out.push(compact_type(key) << 4 | compact_type(value));
            }
            for (key, value) in pairs {
                put_compact(out, key);
                put_compact(out, value);
            }
        }
    }
}

fn put_binary_text(out: &mut Vec<u8>, text: &str) {
    out.extend(size(text.len()).to_be_bytes());
    out.extend(text.as_bytes());
}

fn put_compact_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend(text.as_bytes());
}

fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63).cast_unsigned());
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn size(length: usize) -> i32 {
    i32::try_from(length).unwrap()
}

fn binary_type(value: &Value) -> u8 {
    match value {
        Value::Bool(_) | Value::OddBool(_) => 2,
        Value::I32(_) => 8,
        Value::I64(_) => 10,
        Value::String(_) => 11,
        Value::Struct(_) => 12,
        Value::Map(_) => 13,
        Value::Set(_) => 14,
        Value::List(_) => 15,
        Value::Future(_) => 17,
    }
}

fn compact_type(value: &Value) -> u8 {
    match value {
        Value::Bool(_) | Value::OddBool(_) => 1,
        Value::I32(_) => 5,
        Value::I64(_) => 6,
        Value::String(_) => 8,
        Value::List(_) => 9,
        Value::Set(_) => 10,
        Value::Map(_) => 11,
        Value::Struct(_) => 12,
        Value::Future(_) => 14,
    }
}
