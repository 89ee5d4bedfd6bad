//! The configuration file: one section per module, each section's type owned by the module that obeys it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod annotated;
mod changes;
pub(crate) mod check;
mod draft;
mod encrypted;
pub(crate) mod fit;
mod governed;
mod held;
mod idls;
mod links;
mod load;
mod outside;
mod problem;
#[cfg(test)]
mod reference;
mod schema;
mod section;
mod sessions;
mod spelled;
mod tags;
mod text;
mod unwise;
mod values;
mod watch;
mod words;

pub use changes::{Change, Changes};
pub use problem::Problem;
pub(crate) use watch::Watch;

use crate::dial::Address;
use crate::files::Files;
use crate::idl::Place;
use crate::rule::method::{Governed, Stated};
use crate::rule::options::Options;
use crate::rule::pattern::Pattern;
use crate::setting::Mode;
use crate::tls::Renewable;
use crate::{admin, backend, cache, flight, invalidation, limits, listener, log, runtime};

/// A configuration that was checked as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[runtime]`
    pub(crate) runtime: runtime::Settings,
    /// `[log]`
    pub(crate) log: log::Settings,
    /// `[admin]`
    pub(crate) admin: admin::options::Settings,
    /// `[invalidation]`, where there is one.
    pub(crate) invalidation: Option<invalidation::options::Settings>,
    /// `[limits]`
    pub(crate) limits: limits::Settings,
    /// `[listeners.NAME]`; at least one, each with an existing backend.
    pub(crate) listeners: BTreeMap<String, Listener>,
    /// `[backends.NAME]`
    pub(crate) backends: BTreeMap<String, backend::Settings>,
    /// `[cache.local]` and `[cache.shared]`
    pub(crate) cache: cache::options::Settings,
    /// `[flights]`
    pub(crate) flights: flight::Bounds,
    /// `[rules."PATTERN"]` and those that the IDL states, the most specific of a service first.
    pub(crate) rules: Vec<Pattern>,
    /// The files that hold secrets, and the options that name them.
    secrets: Vec<(String, PathBuf)>,
    /// Where it was read.
    file: PathBuf,
    values: values::Values,
}

impl Config {
    /// Reads and checks the file at `path`. Files that it names are read by `read_file`, relative to its own place;
    /// variables by `env`.
    pub fn load<T: Into<Vec<u8>>>(
        path: &Path,
        read_file: &dyn Fn(&Path) -> io::Result<T>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Loaded {
        let read_file = |path: &Path| read_file(path).map(Into::into);
        load::load(path, &outside::Outside { read_file: &read_file, env })
    }

    /// Takes over from `next` what a reload changes.
    pub fn reload(&mut self, next: Self) -> Changes {
        let Self { runtime, listeners, backends, rules, limits, log, values, file, .. } = next;
        self.runtime.watch_config = runtime.watch_config;
        (self.listeners, self.backends, self.rules) = (listeners, backends, rules);
        (self.limits, self.file) = (limits, file);
        (self.log.filter, self.log.calls_per_second) = (log.filter, log.calls_per_second);
        self.values.reload(values)
    }

    /// What speaks TLS, by the sections that say so.
    pub(crate) fn encrypted(&self) -> Vec<(String, Arc<dyn Renewable>)> {
        let listeners = self.listeners.iter().filter_map(|(name, listener)| {
            Some((format!("listeners.{name}"), listener.settings.tls.as_ref()?.renewable()))
        });
        let backends = self.backends.iter().filter_map(|(name, settings)| {
            Some((format!("backends.{name}"), settings.tls.as_ref()?.renewable()))
        });
        let admin = self.admin.tls.iter().map(|tls| ("admin".to_owned(), tls.renewable()));
        let shared = self.cache.shared.iter().flat_map(|shared| &shared.redis.tls);
        let shared = shared.map(|tls| ("cache.shared".to_owned(), tls.renewable()));
        listeners.chain(backends).chain(admin).chain(shared).collect()
    }

    /// The file that it was read from.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What that file gives of it, as TOML.
    pub(crate) fn toml(&self) -> String {
        spelled::toml(&self.values)
    }

    /// In what `next` differs, and what of it a reload would change.
    pub(crate) fn changes(&self, next: &Self) -> Changes {
        self.values.clone().reload(next.values.clone())
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
pub(crate) struct Listener {
    /// Where to listen.
    pub(crate) bind: Address,
    /// Who may connect where that is a socket in the file system, as the mode of its file.
    pub(crate) socket_mode: Mode,
    /// The service that a method name without prefix belongs to.
    pub(crate) service: String,
    /// The backend that answers; it exists.
    pub(crate) backend: String,
    /// What it is told of its clients.
    pub(crate) settings: listener::Settings,
    /// What the rules and its `idl` say of each method.
    pub(crate) methods: Governed,
    /// The rules that this was made of, the most specific of a service first.
    pub(crate) rules: Arc<[Rule]>,
}

/// A rule as it was stated.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The methods that it is for.
    pub(crate) pattern: Pattern,
    /// What it says of them.
    pub(crate) options: Options,
    /// Where the IDL states it, if it is not the configuration's.
    pub(crate) annotation: Option<Place>,
}

impl Rule {
    /// What it says, with these options in place of its own.
    pub(crate) fn saying<'a>(&'a self, options: &'a Options) -> Stated<'a> {
        Stated { pattern: &self.pattern, options, annotation: self.annotation.as_ref() }
    }
}

/// What became of a file: a config unless there are problems.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The config; nothing if there are problems.
    pub config: Option<Config>,
    /// What must be put right, in the order of the file.
    pub problems: Vec<Problem>,
    /// What is legal and unwise, in the order of the file.
    pub warnings: Vec<Problem>,
    /// What it was read from.
    files: watch::Contents,
}

impl Loaded {
    /// Looks at what this was read from.
    pub(crate) fn watch(&self, files: Arc<dyn Files>) -> Watch {
        Watch::new(files, self.files.clone())
    }

    /// Has `watch` look at what this was read from, in place of another.
    pub(crate) fn is_watched_by(&self, watch: &mut Watch) {
        watch.read_again(self.files.clone());
    }
}

const EMBEDDED: &str = include_str!("../config/larder.toml");
const EMBEDDED_IDL: &str = include_str!("../idl/users.thrift");
const EMBEDDED_NAME: &str = "config/larder.toml";

#[cfg(test)]
mod tests;
