//! The sample service that worlds are made of, and what its messages say.

use crate::thrift::{Fields, Kind, Message, Value, field, string};

/// What the gateway's listener is told of it, in worlds with an IDL.
pub(crate) const IDL: &str = "
struct Item { 1: i64 serial, 2: i64 key, 3: string padding }
exception Missing { 1: string why }
exception Overloaded { 1: string why }
service Sim {
  Item get(1: i64 key, 2: i64 call, 3: i64 other) throws (1: Missing missing, 2: Overloaded overloaded)
  Item find(1: i64 key, 2: i64 call, 3: i64 other) throws (1: Missing missing, 2: Overloaded overloaded)
  Item look(1: i64 key, 2: i64 call, 3: i64 other) throws (1: Missing missing, 2: Overloaded overloaded)
  Item again(1: i64 key, 2: i64 call, 3: i64 other) throws (1: Missing missing, 2: Overloaded overloaded)
  i64 add(1: i64 key, 2: i64 call, 3: i64 other)
  void put(1: i64 key, 2: i64 call, 3: i64 other)
  i64 ugi(1: i64 key, 2: i64 call, 3: i64 other)
  oneway void tell(1: i64 key, 2: i64 call, 3: i64 other)
}
";

/// The value that answers as a fallback: no backend gives this serial.
pub(crate) const FALLBACK: &str = r#"{"serial": -1, "key": -1, "padding": ""}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Method {
    /// Cached, by an exact rule.
    Get,
    /// Cached, by a rule for a prefix.
    Find,
    /// Passed, observed or switched off.
    Look,
    /// Passed, and idempotent by a rule.
    Again,
    /// Passed, and not known to be idempotent.
    Add,
    /// The same, without a result.
    Put,
    /// Says who its client is, by its key: he alone is answered on its connection from then on.
    Ugi,
    /// Oneway.
    Tell,
    /// A method that the service does not have.
    Unknown,
}

/// What a call of a method gets back from the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    Item,
    Number,
    Void,
    Nothing,
}

impl Method {
    pub(crate) const ALL: [Self; 9] = [
        Self::Get,
        Self::Find,
        Self::Look,
        Self::Again,
        Self::Add,
        Self::Put,
        Self::Ugi,
        Self::Tell,
        Self::Unknown,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Find => "find",
            Self::Look => "look",
            Self::Again => "again",
            Self::Add => "add",
            Self::Put => "put",
            Self::Ugi => "ugi",
            Self::Tell => "tell",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn returns(self) -> Returns {
        match self {
            Self::Get | Self::Find | Self::Look | Self::Again => Returns::Item,
            Self::Add | Self::Ugi | Self::Unknown => Returns::Number,
            Self::Put => Returns::Void,
            Self::Tell => Returns::Nothing,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// A call and its arguments. `call` is a number of its own; two calls ask the same if all else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Whether the method's name carries its service, as a multiplexed call's does.
    pub(crate) prefixed: bool,
    pub(crate) key: i64,
    pub(crate) call: u64,
    pub(crate) other: i64,
    /// As whom it is asked, which its connection alone tells; 0 as nobody.
    pub(crate) who: i64,
}

impl Asked {
    /// The call as a message, of the type that its client gives it.
    pub(crate) fn message(&self, kind: Kind, seqid: i32) -> Message {
        let name = self.method.name();
        let name = if self.prefixed { format!("Sim:{name}") } else { name.to_owned() };
        let fields = vec![
            (1, Value::I64(self.key)),
            (2, Value::I64(self.call.cast_signed())),
            (3, Value::I64(self.other)),
        ];
        Message { kind, name, seqid, fields }
    }

    /// Whether the same reply may answer both.
    pub(crate) fn asks_as(&self, other: &Self) -> bool {
        Self { call: 0, ..*self } == Self { call: 0, ..*other }
    }

    /// The call that a backend received on a connection of `who`.
    pub(crate) fn of(message: &Message, who: i64) -> Option<Self> {
        let name = message.name.rsplit(':').next()?;
        let number = |id| match message.field(id) {
            Some(Value::I64(number)) => Some(*number),
            _ => None,
        };
        Some(Self {
            method: Method::named(name)?,
            prefixed: message.name.contains(':'),
            key: number(1)?,
            call: number(2)?.cast_unsigned(),
            other: number(3)?,
            who,
        })
    }
}

/// What a reply says. Every reply of a backend carries a serial of its own, but an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A result of the service.
    Result { serial: i64 },
    /// A declared exception of the service.
    Declared { id: i16, serial: i64 },
    /// A TApplicationException of the service.
    Exception { code: i32, serial: i64 },
    /// An empty struct: void, or a missing result.
    Empty,
    /// The rule's fallback.
    Fallback,
    /// A fault that the gateway names.
    Fault(String),
    /// Nothing of these.
    Strange(String),
}

impl Content {
    /// The result struct, or the exception's.
    pub(crate) fn fields(&self, asked: &Asked, padding: usize) -> Fields {
        match self {
            Self::Result { serial } => match asked.method.returns() {
                Returns::Item => vec![(
                    0,
                    Value::Struct(vec![
                        (1, Value::I64(*serial)),
                        (2, Value::I64(asked.key)),
                        (3, string(&"p".repeat(padding))),
                    ]),
                )],
                Returns::Number => vec![(0, Value::I64(*serial))],
                Returns::Void | Returns::Nothing => Vec::new(),
            },
            Self::Declared { id, serial } => vec![(*id, Value::Struct(vec![(1, said(*serial))]))],
            Self::Exception { code, serial } => vec![(1, said(*serial)), (2, Value::I32(*code))],
            Self::Empty | Self::Fallback | Self::Fault(_) | Self::Strange(_) => Vec::new(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        if matches!(self, Self::Exception { .. }) { Kind::Exception } else { Kind::Reply }
    }

    /// What a client received.
    pub(crate) fn of(message: &Message) -> Self {
        match (message.kind, message.fields.as_slice()) {
            (Kind::Exception, fields) => Self::exception(fields),
            (Kind::Reply, []) => Self::Empty,
            (Kind::Reply, [(0, Value::I64(serial))]) => Self::Result { serial: *serial },
            (Kind::Reply, [(0, Value::Struct(item))]) => match field(item, 1) {
                Some(Value::I64(-1)) => Self::Fallback,
                Some(Value::I64(serial)) => Self::Result { serial: *serial },
                _ => Self::Strange(format!("{message:?}")),
            },
            (Kind::Reply, [(id, Value::Struct(why))]) => match field(why, 1).and_then(serial) {
                Some(serial) => Self::Declared { id: *id, serial },
                None => Self::Strange(format!("{message:?}")),
            },
            _ => Self::Strange(format!("{message:?}")),
        }
    }

    fn exception(fields: &[(i16, Value)]) -> Self {
        let fields = fields.to_vec();
        let (Some(text), Some(Value::I32(code))) = (field(&fields, 1), field(&fields, 2)) else {
            return Self::Strange(format!("{fields:?}"));
        };
        match (serial(text), text) {
            (Some(serial), _) => Self::Exception { code: *code, serial },
            (None, Value::String(text)) if text.starts_with("larder: ") => Self::Fault(text.clone()),
            _ => Self::Strange(format!("{fields:?}")),
        }
    }

    /// The number that a backend gave it.
    pub(crate) fn serial(&self) -> Option<i64> {
        match self {
            Self::Result { serial } | Self::Declared { serial, .. } | Self::Exception { serial, .. } => {
                Some(*serial)
            }
            Self::Empty | Self::Fallback | Self::Fault(_) | Self::Strange(_) => None,
        }
    }
}

fn said(serial: i64) -> Value {
    string(&format!("serial {serial}"))
}

fn serial(text: &Value) -> Option<i64> {
    match text {
        Value::String(text) => text.strip_prefix("serial ")?.parse().ok(),
        _ => None,
    }
}
