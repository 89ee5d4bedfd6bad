//! Larder stands between Thrift clients and Thrift backends and answers idempotent calls from a cache.
//!
//! # The life of a call
//!
//! A client's bytes reach `listener`, which lets `wire` tell its calls apart: one read may hold many. Each call finds what the
//! configuration decided of its method (`gateway::route`) and is put to `Gateway::answer` in `gateway`, the promise of the README
//! sentence by sentence: read that function first.
//!
//! If a rule caches the method, [`key`] spells the arguments in the one way that all equal calls share, [`cache`] is asked what lies
//! under that key in this process, and `rule` says what it may be used for at its age. A fresh [`entry`] ends the way here: nothing
//! was awaited, and the reply is written behind those of the calls before it.
//!
//! Otherwise the call starts a flight (`flight`) or joins one: it asks the tier that all gateways share, then `backend`, which picks an
//! endpoint, borrows a connection to it, checks that what comes back is a reply to this call, and tries elsewhere where that is
//! safe. What comes is kept as the rule says. If nothing comes there is a [`fault`]: an old entry answers it, the rule's
//! fallback, or an exception that names it. What became of the call is an [`outcome`], counted and logged.
//!
//! # What this crate offers
//!
//! It is a program before it is a library: [`cli::run`] is all that it needs. What else is public serves those who try it from
//! outside: [`server`] starts whole gateways in surroundings of one's own ([`clock`], [`seed`], [`dial`], [`files`], a shared tier in memory);
//! the codecs, the key and the configuration are there to be fuzzed, compared and measured. All else is the crate's own, so that the
//! compiler names what nobody uses.

#![warn(clippy::missing_docs_in_private_items)] // of what the whole crate may use; see clippy.toml

mod accept;
mod admin;
mod advice;
mod backend;
mod bounded;
pub mod cache;
mod call;
pub mod cli;
pub mod clock;
pub mod config;
mod decode;
mod demo;
pub mod dial;
pub mod entry;
mod explain;
pub mod fault;
mod figures;
pub mod files;
mod flight;
mod gateway;
mod http;
pub mod idl;
mod invalidation;
mod inventory;
pub mod key;
mod limits;
mod listener;
mod log;
pub mod mark;
mod metrics;
mod need;
pub mod outcome;
mod post;
mod purge;
mod rule;
mod runtime;
pub mod seed;
pub mod server;
mod setting;
mod state;
mod study;
mod switch;
mod tap;
mod tls;
mod verification;
pub mod wire;
