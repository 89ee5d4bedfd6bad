//! Larder: a cache-fronting Thrift gateway.
