//! Larder: a cache-fronting Thrift gateway.

pub mod backend;
pub mod call;
pub mod clock;
pub mod dial;
pub mod wire;
