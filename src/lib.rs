//! Larder: a cache-fronting Thrift gateway.

pub mod admin;
pub mod backend;
pub mod cache;
pub mod config;
pub mod flight;
pub mod idl;
pub mod limits;
pub mod listener;
pub mod log;
pub mod rule;
pub mod server;
pub mod setting;
