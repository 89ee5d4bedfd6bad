//! Larder: a cache-fronting Thrift gateway.

pub mod idl;
