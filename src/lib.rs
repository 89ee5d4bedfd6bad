//! Larder: a cache-fronting Thrift gateway.

pub mod call;
pub mod clock;
pub mod entry;
pub mod flight;
pub mod idl;
pub mod key;
pub mod metrics;
pub mod rule;
pub mod wire;
