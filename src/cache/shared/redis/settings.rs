//! Where Redis is and how it is asked.

use std::time::Duration;

use super::login::Login;
use super::place::Place;
use crate::cache::envelope::Codec;
use crate::tls::Client;

/// Everything the shared tier needs to know of its Redis.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Which servers there are.
    pub form: Form,
    /// How to log in to those that keep replies.
    pub login: Login,
    /// How to speak TLS, if at all.
    pub tls: Option<Client>,
    /// Database number.
    pub database: u32,
    /// What connections are called in Redis' `CLIENT LIST`.
    pub client_name: String,
    /// First part of every Redis key.
    pub prefix: String,
    /// How values are written, and which are believed.
    pub codec: Codec,
    /// How long one read may take before it is a miss.
    pub read_timeout: Duration,
    /// How long one write may take before it gives up its place.
    pub write_timeout: Duration,
    /// How long name, connection, TLS, login and a first answer may take together.
    pub connect_timeout: Duration,
    /// Connections to each server for short reads, at least 1.
    pub connections: u32,
    /// Writes in flight; more are dropped.
    pub max_writes: u32,
}

/// Which servers there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// One server.
    One(Place),
    /// A primary and its replicas, watched by sentinels.
    Sentinel(Watched),
    /// A cluster, found by any of these of its servers.
    Cluster(Vec<Place>),
}

/// A primary that sentinels watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Where the sentinels listen.
    pub sentinels: Vec<Place>,
    /// What they call the primary.
    pub master: String,
    /// How to log in to them.
    pub login: Login,
}
