//! The configuration file: one section per module, each section's type owned by the module that obeys it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub mod check;
mod governed;
mod links;
mod load;
pub mod problem;
pub mod reference;
mod schema;
mod section;
mod text;

pub use problem::{Place, Problem};

use crate::idl::Schema;
use crate::rule::pattern::Pattern;
use crate::{admin, backend, cache, flight, limits, listener, log, rule, runtime};

/// A configuration that was checked as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it stands in.
    pub file: PathBuf,
    /// `[runtime]`
    pub runtime: runtime::options::Options,
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

impl Config {
    /// Reads and checks the file at `path`. Files that it names are read by `read_file`, relative to its own place;
    /// variables by `env`.
    pub fn load(
        path: &Path,
        read_file: &dyn Fn(&Path) -> io::Result<String>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Loaded {
        load::load(path, &load::Outside { read_file, env })
    }

    /// The config that ships inside the program: `config/larder.toml`, with the sample service's IDL.
    pub fn embedded() -> Loaded {
        let read = |path: &Path| match path.file_name().and_then(|name| name.to_str()) {
            Some("larder.toml") => Ok(EMBEDDED.to_owned()),
            Some("users.thrift") => Ok(EMBEDDED_IDL.to_owned()),
            Some(_) | None => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        Self::load(Path::new(EMBEDDED_NAME), &read, &|_| None)
    }
}

/// A listener.
#[derive(Debug, Clone)]
pub struct Listener {
    /// What the file says.
    pub options: listener::options::Options,
    /// What its `idl` declares, if it names one.
    pub schema: Option<Schema>,
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
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The config; nothing if there are problems.
    pub config: Option<Config>,
    /// What must be put right, in the order of the file.
    pub problems: Vec<Problem>,
    /// What is legal and unwise, in the order of the file.
    pub warnings: Vec<Problem>,
}

const EMBEDDED: &str = include_str!("../config/larder.toml");
const EMBEDDED_IDL: &str = include_str!("../idl/users.thrift");
const EMBEDDED_NAME: &str = "config/larder.toml";

#[cfg(test)]
mod tests;
