//! Thrift on the wire.

/// A Thrift protocol: how values become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Binary.
    Binary,
    /// Compact.
    Compact,
}
