//! Larder: a cache-fronting Thrift gateway.

pub mod call;
pub mod wire;
