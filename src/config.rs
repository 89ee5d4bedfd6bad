//! The configuration file: one section per module, each section's type owned by the module that obeys it.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub mod check;
mod load;
pub mod problem;
pub mod reference;
mod schema;
mod section;
mod text;

pub use problem::{Place, Problem};

use crate::rule::pattern::Pattern;
use crate::{admin, backend, cache, flight, limits, listener, log, rule, server};

/// A configuration that was checked as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it stands in.
    pub file: PathBuf,
    /// `[runtime]`
    pub runtime: server::options::Options,
    /// `[log]`
    pub log: log::options::Options,
    /// `[admin]`
    pub admin: admin::options::Options,
    /// `[limits]`
    pub limits: limits::Options,
    /// `[listeners.NAME]`; at least one, each with an existing backend.
    pub listeners: BTreeMap<String, Listener>,
    /// `[backends.NAME]`
    pub backends: BTreeMap<String, backend::options::Options>,
    /// `[cache.local]` and `[cache.shared]`
    pub cache: Cache,
    /// `[flights]`
    pub flights: flight::options::Options,
    /// `[rules."PATTERN"]`, the most specific of a service first.
    pub rules: Vec<Rule>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// What the file says.
    pub options: listener::options::Options,
}

/// The two tiers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cache {
    /// The one in this process.
    pub local: cache::options::Local,
    /// The one in Redis, if there is one.
    pub shared: Option<Shared>,
}

/// The tier in Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// What the file says.
    pub options: cache::options::Shared,
    /// What `password_file` or `password_env` holds.
    pub password: Option<cache::options::Password>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The methods it is for.
    pub pattern: Pattern,
    /// What the file says of them.
    pub options: rule::options::Options,
    /// Where it says so.
    pub place: Place,
}

/// What became of a file: a config unless there are problems.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The config; nothing if there are problems.
    pub config: Option<Config>,
    /// What must be put right, in the order of the file.
    pub problems: Vec<Problem>,
    /// What is legal and unwise, in the order of the file.
    pub warnings: Vec<Problem>,
}
