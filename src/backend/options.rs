//! What the config may say of a backend, and what the backend is told.

mod checking;
mod endpoint;
mod listing;
mod transport;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding;
use super::steer::Steer;
pub(crate) use endpoint::Endpoint;
pub(super) use listing::Listing;
use transport::Transport;

use crate::setting::{Finding, Period, Section, Size};
use crate::tls::Client;
use crate::tls::options::ClientOptions;
use crate::wire::{self, Bounds, Protocol, Speech};

/// A service to ask: one or more endpoints that all give the same answers. The name is free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Where the service listens: addresses or host names, each with its port, or sockets in the file system, such as
    /// `unix:/run/users.sock`. A host name stands for all addresses it has. Must be given, unless `endpoints_file` is.
    #[schemars(with = "Vec<String>", length(min = 1, max = 1024), extend(
        "x-accepts" = "a list of hosts with ports such as [\"10.0.0.1:9191\", \"db.example:9191\"]"))]
    pub endpoints: Vec<Endpoint>,
    /// A TOML file that holds `endpoints` and perhaps `weights` in place of these here. It is read each second: replace it as a whole
    /// (write another, then rename it). While it cannot be used, the endpoints it had before stay.
    #[schemars(extend("x-default" = "none"))]
    pub endpoints_file: Option<PathBuf>,
    /// How many times the calls of an ordinary endpoint one is to have; those not named here have 1. A host name's weight is that
    /// of each of its addresses.
    #[schemars(with = "BTreeMap<String, u32>", extend(
        "x-accepts" = "a table of endpoints and whole numbers from 1 to 1000, such as { \"10.0.0.1:9191\" = 2 }"))]
    pub weights: BTreeMap<Endpoint, u32>,
    /// Over which time an endpoint that is new or back comes to its whole share of the calls, from a tenth on. None does when
    /// the gateway starts.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub slow_start: Period,
    /// How the service encodes messages. Calls of clients that speak the other protocol are translated, and so are their replies.
    pub protocol: Protocol,
    /// How the service delimits messages; its clients may do otherwise.
    pub transport: Transport,
    /// What messages are posted to, with `transport = "http"`.
    pub path: String,
    /// Whether clients share connections. `per_client`: each client has its own, its calls go one after another
    /// and nothing is cached; for services that keep something in mind for a connection. Of such clients an endpoint
    /// then takes no more than `max_connections` at one time.
    pub connections: Sharing,
    /// How long a whole call may take, further tries included, where its rule does not say.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h",
        "x-default" = "30s for methods with a rule, none for others"))]
    pub timeout: Option<Period>,
    /// How long opening a connection may take.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1m"))]
    pub connect_timeout: Period,
    /// How long one try of a call may take. By default all the time that the call has: a slow answer is not an error, and
    /// an endpoint that hangs is found by its silence.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h"))]
    pub attempt_timeout: Option<Period>,
    /// Further tries of a call that met a fault and may have run: only where its method is idempotent, each at another
    /// endpoint, after a random pause of at most 25 ms, doubled each time, and within the budget of the next two options. A
    /// call of which no byte was sent is tried at up to two further endpoints in any case.
    #[schemars(range(max = 8))]
    pub retries: u32,
    /// The budget of retries: so many for each hundred calls, and one each second.
    #[schemars(range(max = 100))]
    pub retry_percent: u32,
    /// The retries that the budget holds at most, for when several calls fail at once.
    #[schemars(range(max = 1_000_000))]
    pub retry_burst: u32,
    /// Connections to one endpoint, those of `per_client` and of sessions included; of eight or more one is for checks. A server with a pool of threads
    /// needs one thread for each. Half of them at most, or the only one, carry oneway calls, each of one client alone.
    #[schemars(range(min = 1, max = 65536))]
    pub max_connections: u32,
    /// Calls that may wait for a connection to one endpoint, in which clients take turns. Where more come, those fail at once that are needed least:
    /// refreshes, then calls that an old entry may answer, then those of whoever has most of them there.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_waiting: u32,
    /// The longest reply, in bytes; a longer one fails its call alone, and closes the connection it comes on. As many of them may be in
    /// memory as there are connections. The default is that of Apache Thrift's `TConfiguration` for any message.
    #[schemars(extend("x-least" = "1024", "x-most" = "1GiB"))]
    pub reply: Size,
    /// How long an idle connection is kept. A thriftpy2 server closes its connections after 3 s, so it stays below.
    #[schemars(extend("x-least" = "0s", "x-most" = "24h"))]
    pub idle_timeout: Period,
    /// How long a connection is used at most after it was opened. By default for as long as the endpoint leaves it open; where that was seen to
    /// close them at an age, they are given up before.
    #[schemars(extend("x-least" = "100ms", "x-most" = "24h", "x-default" = "as long as the endpoint allows"))]
    pub max_age: Option<Period>,
    /// How often host names are looked up again.
    #[schemars(extend("x-least" = "100ms", "x-most" = "24h"))]
    pub resolve_interval: Period,
    /// How an endpoint is asked for a sign of life while it is suspected or out of rotation: `call` calls `check_method`, `fb303`
    /// asks for its status (WARNING halves the endpoint's share; STARTING and STOPPING mean no new calls, without any alarm; DEAD and
    /// STOPPED take it out; `check_always` finds that out before anything fails), `tcp` opens a connection, `off` does nothing.
    pub check: finding::Kind,
    /// The method that `check = "call"` calls, without arguments. The default is one that nobody has: any proper reply is a sign of
    /// life, an exception too.
    #[schemars(length(min = 1, max = 256))]
    pub check_method: String,
    /// Which reply to `check = "call"` is a sign of life: `any` or only a `result`.
    pub check_expects: finding::Expects,
    /// How long a check may take.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1m"))]
    pub check_timeout: Period,
    /// Time between two checks of an endpoint that is suspected or out of rotation, give or take a fifth.
    #[schemars(extend("x-least" = "10ms", "x-most" = "1h"))]
    pub check_interval: Period,
    /// Time between two checks of an endpoint that nothing is wrong with.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h", "x-default" = "none are made"))]
    pub check_always: Option<Period>,
    /// Failures in a row of a method's calls at one endpoint, after which they go elsewhere.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub ejection_failures: u32,
    /// How long they do the first time; each further time twice as long. An endpoint of which all calls fail is left alone for as
    /// long, where checks are answered.
    #[schemars(extend("x-least" = "10ms", "x-most" = "1h"))]
    pub ejection_time: Period,
    /// The longest that they do.
    #[schemars(extend("x-least" = "10ms", "x-most" = "24h"))]
    pub ejection_time_max: Period,
    /// TLS 1.2 or 1.3 to the endpoints, which are always verified. Its files are looked at each second: later connections have what they hold then.
    pub tls: Option<ClientOptions>,
}

/// Who uses a connection to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sharing {
    /// Any client, one call at a time.
    Shared,
    /// One client, for as long as it stays: for backends that keep state on their connections.
    PerClient,
}

/// A backend's settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Its name in the configuration, logs and metrics.
    pub name: Arc<str>,
    /// Hosts (addresses or names) and their ports. At least one, unless a file lists them.
    pub endpoints: Vec<(String, u16)>,
    /// The file that lists them instead.
    pub endpoints_file: Option<PathBuf>,
    /// How many times the calls of an ordinary endpoint some of them are to have.
    pub weights: BTreeMap<(String, u16), u32>,
    /// Until an endpoint that is new or back has its whole share. Zero: at once.
    pub slow_start: Duration,
    /// The protocol its endpoints speak.
    pub protocol: Protocol,
    /// The transport its endpoints speak.
    pub transport: wire::Transport,
    /// The path that each of its frames is posted to, over HTTP; without, they are sent as they are.
    pub posts: Option<Arc<str>>,
    /// How its endpoints speak TLS; without it they speak none.
    pub tls: Option<Client>,
    /// Who uses a connection.
    pub connections: Sharing,
    /// The whole call, where its rule gives no time.
    pub timeout: Option<Duration>,
    /// Opening one connection.
    pub connect_timeout: Duration,
    /// One try of a call.
    pub attempt_timeout: Option<Duration>,
    /// Further tries of a call that may have run.
    pub retries: u32,
    /// Retries that a hundred calls are good for.
    pub retry_percent: u32,
    /// Retries that can be saved up.
    pub retry_burst: u32,
    /// Connections to one endpoint, at least 1.
    pub max_connections: usize,
    /// Calls that wait for a connection to one endpoint.
    pub max_waiting: usize,
    /// How long a connection may lie idle. Zero keeps none.
    pub idle_timeout: Duration,
    /// How old a connection may become.
    pub max_age: Option<Duration>,
    /// Time between two lookups of host names.
    pub resolve_interval: Duration,
    /// How an endpoint is checked.
    pub check: finding::Kind,
    /// The method that a check calls.
    pub check_method: String,
    /// Which reply to that is a sign of life.
    pub check_expects: finding::Expects,
    /// How long a check may take.
    pub check_timeout: Duration,
    /// Time between two checks of what is suspected or out of rotation.
    pub check_interval: Duration,
    /// Time between two checks of what nothing is wrong with.
    pub check_always: Option<Duration>,
    /// Consecutive failures that take a method out at an endpoint, at least 1.
    pub ejection_failures: u32,
    /// For how long the first time.
    pub ejection_time: Duration,
    /// For how long at most.
    pub ejection_time_max: Duration,
    /// Bounds on replies.
    pub bounds: Bounds,
    /// What an operator says for a while.
    pub steer: Steer,
}

impl Options {
    /// What the backend called `name` is told, with the TLS that was made of what its options name. `beside` tells where a path is that
    /// stands in the file.
    pub(crate) fn settings(
        &self,
        name: &str,
        beside: impl Fn(&Path) -> PathBuf,
        tls: Option<Client>,
    ) -> Settings {
        let (endpoints, weights) = listing::pairs(&self.endpoints, &self.weights);
        Settings {
            name: name.into(),
            endpoints,
            endpoints_file: self.endpoints_file.as_deref().map(beside),
            weights,
            slow_start: self.slow_start.duration(),
            protocol: self.protocol,
            transport: self.transport.spoken(),
            posts: self.transport.posts(&self.path),
            tls,
            connections: self.connections,
            timeout: self.timeout.map(Period::duration),
            connect_timeout: self.connect_timeout.duration(),
            attempt_timeout: self.attempt_timeout.map(Period::duration),
            retries: self.retries,
            retry_percent: self.retry_percent,
            retry_burst: self.retry_burst,
            max_connections: self.max_connections as usize,
            max_waiting: self.max_waiting as usize,
            idle_timeout: self.idle_timeout.duration(),
            max_age: self.max_age.map(Period::duration),
            resolve_interval: self.resolve_interval.duration(),
            check: self.check,
            check_method: self.check_method.clone(),
            check_expects: self.check_expects,
            check_timeout: self.check_timeout.duration(),
            check_interval: self.check_interval.duration(),
            check_always: self.check_always.map(Period::duration),
            ejection_failures: self.ejection_failures,
            ejection_time: self.ejection_time.duration(),
            ejection_time_max: self.ejection_time_max.duration(),
            bounds: Bounds {
                frame: self.reply.length(),
                message: self.reply.length(),
                depth: Bounds::default().depth,
            },
            steer: Steer::default(),
        }
    }
}

/// Why a file of endpoints that holds this cannot be used.
pub(crate) fn flaw_of_list(content: &str) -> Option<String> {
    Listing::parse(content.as_bytes()).err()
}

impl Settings {
    /// Whether the endpoints are the same by both.
    pub(super) fn lists_as(&self, other: &Self) -> bool {
        (&self.endpoints, &self.endpoints_file) == (&other.endpoints, &other.endpoints_file)
    }

    /// Its endpoints as they are listed now, here or in their file, which `read` reads.
    ///
    /// # Errors
    /// Why the file cannot be used.
    pub(crate) fn listed(
        &self,
        read: impl Fn(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Vec<Endpoint>, String> {
        let Some(file) = &self.endpoints_file else {
            let listed = self.endpoints.iter().cloned();
            return Ok(listed.map(|(host, port)| Endpoint { host, port }).collect());
        };
        let content = read(file).map_err(|error| error.to_string());
        let listing = content.and_then(|content| Listing::parse(&content));
        let unusable = |why| format!("{} cannot be used: {why}", file.display());
        listing.map(|listing| listing.endpoints).map_err(unusable)
    }

    /// What its endpoints speak.
    pub(crate) fn speech(&self) -> Speech {
        Speech { transport: self.transport, protocol: self.protocol }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            endpoints_file: None,
            weights: BTreeMap::new(),
            slow_start: Period::from_secs(10),
            protocol: Protocol::Binary,
            transport: Transport::Framed,
            path: "/".to_owned(),
            connections: Sharing::Shared,
            timeout: None,
            connect_timeout: Period::from_millis(250),
            attempt_timeout: None,
            retries: 2,
            retry_percent: 20,
            retry_burst: 10,
            max_connections: 64,
            max_waiting: 1024,
            reply: Size::from_mib(100),
            idle_timeout: Period::from_millis(2500),
            max_age: None,
            resolve_interval: Period::from_secs(10),
            check: finding::Kind::Call,
            check_method: "larder_check".to_owned(),
            check_expects: finding::Expects::Any,
            check_timeout: Period::from_millis(500),
            check_interval: Period::from_millis(500),
            check_always: None,
            ejection_failures: 5,
            ejection_time: Period::from_secs(1),
            ejection_time_max: Period::from_secs(30),
            tls: None,
        }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let mut found = listing::problems(&self.endpoints, &self.weights);
        found.extend(Transport::problem(&self.path));
        if self.ejection_time_max < self.ejection_time {
            let message =
                format!("{} is less than ejection_time, {}", self.ejection_time_max, self.ejection_time);
            found.push(Finding::new("ejection_time_max", message));
        }
        found.extend(self.tls.as_ref().and_then(ClientOptions::problem));
        found
    }

    fn warnings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.idle_timeout >= THRIFTPY2_TIMEOUT {
            let message = format!(
                "{} is not below 3s, after which a thriftpy2 server closes a connection that a call \
                may just be using",
                self.idle_timeout
            );
            found.push(Finding::new("idle_timeout", message));
        }
        if let (Some(attempt), Some(whole)) = (self.attempt_timeout, self.timeout)
            && attempt > whole
        {
            let message = format!("{attempt} is longer than timeout, {whole}, which ends the call before");
            found.push(Finding::new("attempt_timeout", message));
        }
        found
    }
}

/// thriftpy2's default for the time that a server waits for a connection's next call.
const THRIFTPY2_TIMEOUT: Period = Period::from_secs(3);
