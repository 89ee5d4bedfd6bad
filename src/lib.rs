//! Larder: a cache-fronting Thrift gateway.

pub mod call;
pub mod clock;
pub mod entry;
pub mod key;
pub mod rule;
pub mod wire;
