//! Thrift on the wire: the closed lists of protocols, transports and types, and what can be wrong with bytes.

pub mod cursor;
pub mod detect;
pub(crate) mod exception;
pub mod header;
pub mod inbound;
pub mod message;
pub mod pick;
pub mod translate;
mod varint;
pub mod walk;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How values are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Fixed-width big-endian values; strict and lenient message headers.
    Binary,
    /// Varints and field id deltas.
    Compact,
}

impl Protocol {
    /// The word for it in configuration, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Compact => "compact",
        }
    }
}

/// How messages are told apart on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Each message behind its length in four big-endian bytes.
    Framed,
    /// Messages follow each other; only walking one finds its end.
    Unframed,
    /// Each message in a frame with headers of its own, for this message and others: Thrift's header transport.
    Header,
}

impl Transport {
    /// The word for it in configuration and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Framed => "framed",
            Self::Unframed => "unframed",
            Self::Header => "header",
        }
    }
}

/// What one side of a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speech {
    /// How its messages are told apart.
    pub transport: Transport,
    /// How they are spelled.
    pub protocol: Protocol,
}

/// A struct where it lies, and how it is spelled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Struct<'a> {
    /// The protocol.
    pub protocol: Protocol,
    /// Its bytes, stop byte included.
    pub bytes: &'a [u8],
}

/// Bounds on what is read from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in one frame. The Thrift specification's default is 16,384,000.
    pub frame: usize,
    /// Bytes in one unframed message. `TConfiguration`'s default is 100 MiB.
    pub message: usize,
    /// Structs and containers inside each other. `TConfiguration`'s default is 64.
    pub depth: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { frame: 16_384_000, message: 100 << 20, depth: 64 }
    }
}

/// The type of a value, by Thrift's binary code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool = 2,
    /// One byte.
    Byte = 3,
    /// Eight bytes, IEEE 754.
    Double = 4,
    /// Two bytes, signed.
    I16 = 6,
    /// Four bytes, signed.
    I32 = 8,
    /// Eight bytes, signed.
    I64 = 10,
    /// Length and bytes; text and binary alike.
    String = 11,
    /// Fields up to a stop.
    Struct = 12,
    /// Pairs.
    Map = 13,
    /// Distinct elements.
    Set = 14,
    /// Elements.
    List = 15,
    /// Sixteen bytes.
    Uuid = 16,
}

impl Type {
    /// The type with this code in the binary protocol.
    pub fn from_binary(code: u8) -> Result<Self, WireError> {
        Ok(match code {
            2 => Self::Bool,
            3 => Self::Byte,
            4 => Self::Double,
            6 => Self::I16,
            8 => Self::I32,
            10 => Self::I64,
            11 => Self::String,
            12 => Self::Struct,
            13 => Self::Map,
            14 => Self::Set,
            15 => Self::List,
            16 => Self::Uuid,
            code => return Err(WireError::UnknownType { code }),
        })
    }

    /// The type with this code in the compact protocol; 1 and 2 are both a boolean.
    pub fn from_compact(code: u8) -> Result<Self, WireError> {
        Ok(match code {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4 => Self::I16,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::Double,
            8 => Self::String,
            9 => Self::List,
            10 => Self::Set,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            code => return Err(WireError::UnknownType { code }),
        })
    }

    /// Its code in the compact protocol, as an element's: a boolean has that of a true field, as all libraries write it.
    pub fn compact_code(self) -> u8 {
        match self {
            Self::Bool => 1,
            Self::Byte => 3,
            Self::I16 => 4,
            Self::I32 => 5,
            Self::I64 => 6,
            Self::Double => 7,
            Self::String => 8,
            Self::List => 9,
            Self::Set => 10,
            Self::Map => 11,
            Self::Struct => 12,
            Self::Uuid => 13,
        }
    }

    /// Bytes of every value of this type, where that does not depend on the value.
    pub fn width(self, protocol: Protocol) -> Option<usize> {
        match (self, protocol) {
            (Self::Bool | Self::Byte, _) => Some(1),
            (Self::Double, _) => Some(8),
            (Self::Uuid, _) => Some(16),
            (Self::I16, Protocol::Binary) => Some(2),
            (Self::I32, Protocol::Binary) => Some(4),
            (Self::I64, Protocol::Binary) => Some(8),
            (Self::I16 | Self::I32 | Self::I64, Protocol::Compact) => None,
            (Self::String | Self::Struct | Self::Map | Self::Set | Self::List, _) => None,
        }
    }

    /// Bytes of the smallest value of this type: what a declared count costs at least.
    pub fn least_width(self, protocol: Protocol) -> usize {
        match (self, protocol) {
            (Self::String, Protocol::Binary) => 4,
            (Self::Set | Self::List, Protocol::Binary) => 5,
            (Self::Map, Protocol::Binary) => 6,
            (kind, protocol) => kind.width(protocol).unwrap_or(1),
        }
    }
}

/// What is wrong with bytes that should have been Thrift.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes end inside a value.
    #[error("the message ends inside a value")]
    Short,
    /// A frame's length is negative, zero or over the limit.
    #[error("frame of {length} bytes is outside 1 to {bound}")]
    Frame {
        /// What the four bytes say.
        length: i32,
        /// The limit in bytes.
        bound: usize,
    },
    /// A message, or a size declared inside one, exceeds what the message may hold.
    #[error("message of at least {length} bytes is over the limit of {bound}")]
    TooLong {
        /// Bytes needed at least.
        length: usize,
        /// The limit in bytes.
        bound: usize,
    },
    /// The message ends before its frame does.
    #[error("message ends {left} bytes before its frame does")]
    Trailing {
        /// Bytes left over.
        left: usize,
    },
    /// Structs and containers are nested too deep.
    #[error("values are nested deeper than {bound}")]
    Depth {
        /// The limit.
        bound: usize,
    },
    /// A type code that Thrift does not have.
    #[error("type code {code} is not one of thrift's")]
    UnknownType {
        /// The code as sent.
        code: u8,
    },
    /// A length below zero.
    #[error("length {length} is negative")]
    Negative {
        /// The length as sent.
        length: i32,
    },
    /// A varint longer than its type allows.
    #[error("varint is longer than {bound} bytes")]
    Varint {
        /// The limit in bytes.
        bound: usize,
    },
    /// A field id outside 16 bits.
    #[error("field id is outside -32768 to 32767")]
    FieldId,
    /// A message version or type byte that the protocol does not have.
    #[error("message header {header:#010x} is not of a known version and type")]
    Header {
        /// The first bytes of the header.
        header: u32,
    },
    /// A method name over [`message::NAME_MAX`].
    #[error("method name of {length} bytes is over the limit of {}", message::NAME_MAX)]
    Name {
        /// The length as sent.
        length: usize,
    },
    /// What stands before the message in a frame of the header transport makes no sense.
    #[error("the header of a frame of the header transport is malformed")]
    Preamble,
    /// More info headers than are read.
    #[error("{count} info headers are over the limit of {}", header::info::COUNT_MAX)]
    InfoHeaders {
        /// How many there are.
        count: usize,
    },
    /// A protocol id of the header transport that is not spoken here, or not on this connection.
    #[error(
        "protocol id {id} of the header transport is not the one that is spoken here; 0 is binary, 2 compact"
    )]
    HeaderProtocol {
        /// The id as sent.
        id: u32,
    },
    /// A transform of the header transport that is not known here.
    #[error("transform {id} ({}) of the header transport is not known here; 1 (zlib) is", header::transform(*.id))]
    Transform {
        /// The id as sent.
        id: u32,
    },
    /// A message is packed, and cannot be unpacked.
    #[error("the message is said to be a zlib stream, and is none")]
    Zlib,
    /// A message is longer than it may be once it is unpacked.
    #[error("unpacked, the message is over the limit of {bound} bytes")]
    Inflated {
        /// The limit in bytes.
        bound: usize,
    },
    /// The first bytes belong to something that is not Thrift.
    #[error("{0}")]
    Foreign(detect::Foreign),
}

impl WireError {
    /// The word for it in metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Short => "short_message",
            Self::Frame { .. } => "frame_length",
            Self::TooLong { .. } => "message_length",
            Self::Trailing { .. } => "trailing_bytes",
            Self::Depth { .. } => "depth",
            Self::UnknownType { .. } => "unknown_type",
            Self::Negative { .. } => "negative_length",
            Self::Varint { .. } => "varint",
            Self::FieldId => "field_id",
            Self::Header { .. } => "header",
            Self::Name { .. } => "name_length",
            Self::Preamble => "header_transport",
            Self::InfoHeaders { .. } => "info_headers",
            Self::HeaderProtocol { .. } => "header_protocol",
            Self::Transform { .. } => "transform",
            Self::Zlib => "zlib",
            Self::Inflated { .. } => "inflated_length",
            Self::Foreign(foreign) => foreign.reason(),
        }
    }

    /// Whether it is a type code as a later Thrift may have it, next to those that there are: in a frame, the message ends all the same. Any other
    /// is a sign of bytes that are no message.
    pub fn is_future_type(&self) -> bool {
        // The compact protocol has two codes left, the binary one counts on.
        matches!(self, Self::UnknownType { code: 14 | 15 | 17..=31 })
    }

    /// The limit that was exceeded, if it was one: its name in the configuration.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Frame { length, .. } if *length > 0 => Some("frame"),
            Self::Inflated { .. } => Some("frame"),
            Self::TooLong { .. } => Some("message"),
            Self::Depth { .. } => Some("depth"),
            Self::Frame { .. }
            | Self::Short
            | Self::Trailing { .. }
            | Self::UnknownType { .. }
            | Self::Negative { .. }
            | Self::Varint { .. }
            | Self::FieldId
            | Self::Header { .. }
            | Self::Name { .. }
            | Self::Preamble
            | Self::InfoHeaders { .. }
            | Self::HeaderProtocol { .. }
            | Self::Transform { .. }
            | Self::Zlib
            | Self::Foreign(_) => None,
        }
    }
}
