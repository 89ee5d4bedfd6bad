//! Larder: a cache-fronting Thrift gateway.

pub mod admin;
pub mod backend;
pub mod cache;
pub mod call;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod dial;
pub mod entry;
pub mod fault;
pub mod flight;
pub mod gateway;
pub mod idl;
pub mod key;
pub mod limits;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod outcome;
pub mod rule;
pub mod runtime;
pub mod seed;
pub mod server;
pub mod setting;
pub mod wire;
