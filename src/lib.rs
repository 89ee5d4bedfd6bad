//! Larder: a cache-fronting Thrift gateway.

pub mod cache;
pub mod clock;
pub mod dial;
pub mod entry;
pub mod wire;
