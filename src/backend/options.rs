//! What the config may say of a backend, and what the backend is told.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Finding, Period, Section};
use crate::wire::{Bounds, Protocol, Transport};

/// A service to ask: one or more endpoints that all give the same answers. The name is free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["endpoints"]))]
pub(crate) struct Options {
    /// Where the service listens: addresses or host names, each with its port. A host name stands for all
    /// addresses it has.
    #[schemars(with = "Vec<String>", length(min = 1, max = 1024), extend(
        "x-accepts" = "a list of hosts with ports such as [\"10.0.0.1:9191\", \"db.example:9191\"]"))]
    pub endpoints: Vec<Endpoint>,
    /// How many times the calls of an ordinary endpoint one is to have; those not named here have 1. A host name's weight is that
    /// of each of its addresses.
    #[schemars(with = "BTreeMap<String, u32>", extend(
        "x-accepts" = "a table of endpoints and whole numbers from 1 to 1000, such as { \"10.0.0.1:9191\" = 2 }"))]
    pub weights: BTreeMap<Endpoint, u32>,
    /// Over which time an endpoint that is new or back comes to its whole share of the calls, from a tenth on. None does when
    /// the gateway starts.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub slow_start: Period,
    /// How the service encodes messages. A client that speaks the other protocol is refused with an exception.
    pub protocol: Protocol,
    /// How the service delimits messages; its clients may do otherwise.
    pub transport: Transport,
    /// Whether clients share connections. `per_client`: each client has its own, its calls go one after another
    /// and nothing is cached; for services that keep something in mind for a connection. Of such clients an endpoint
    /// then takes no more than `max_connections` at one time.
    pub connections: Sharing,
    /// How long a whole call may take, further tries included, where its rule does not say.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h",
        "x-default" = "1s for methods with a rule, none for others"))]
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
    /// Connections to one endpoint, those of `per_client` and of sessions included. A server with a pool of threads
    /// needs one thread for each. Half of them at most, or the only one, carry oneway calls, each of one client alone.
    #[schemars(range(min = 1, max = 65536))]
    pub max_connections: u32,
    /// Calls that may wait for a connection to one endpoint; further ones fail at once.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_waiting: u32,
    /// How long an idle connection is kept. A thriftpy2 server closes its connections after 3 s, so it stays below.
    #[schemars(extend("x-least" = "0s", "x-most" = "24h"))]
    pub idle_timeout: Period,
    /// How often host names are looked up again.
    #[schemars(extend("x-least" = "100ms", "x-most" = "24h"))]
    pub resolve_interval: Period,
    /// Failures in a row after which an endpoint is left alone.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub ejection_failures: u32,
    /// How long a failed endpoint is left alone the first time; each further time twice as long.
    #[schemars(extend("x-least" = "10ms", "x-most" = "1h"))]
    pub ejection_time: Period,
    /// The longest that a failed endpoint is left alone.
    #[schemars(extend("x-least" = "10ms", "x-most" = "24h"))]
    pub ejection_time_max: Period,
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// An address (an IPv6 one without brackets) or a host name.
    pub host: String,
    /// Never 0.
    pub port: u16,
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
    /// Hosts (addresses or names) and their ports. At least one.
    pub endpoints: Vec<(String, u16)>,
    /// How many times the calls of an ordinary endpoint some of them are to have.
    pub weights: BTreeMap<(String, u16), u32>,
    /// Until an endpoint that is new or back has its whole share. Zero: at once.
    pub slow_start: Duration,
    /// The protocol its endpoints speak.
    pub protocol: Protocol,
    /// The transport its endpoints speak.
    pub transport: Transport,
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
    /// Time between two lookups of host names.
    pub resolve_interval: Duration,
    /// Consecutive failures that eject an endpoint, at least 1.
    pub ejection_failures: u32,
    /// The first ejection.
    pub ejection_time: Duration,
    /// The longest ejection.
    pub ejection_time_max: Duration,
    /// Bounds on replies.
    pub bounds: Bounds,
}

impl Options {
    /// What the backend called `name` is told; `bounds` are those on its replies.
    pub(crate) fn settings(&self, name: &str, bounds: Bounds) -> Settings {
        let pair = |endpoint: &Endpoint| (endpoint.host.clone(), endpoint.port);
        let weights = self.weights.iter().map(|(endpoint, weight)| (pair(endpoint), *weight));
        Settings {
            name: name.into(),
            endpoints: self.endpoints.iter().map(pair).collect(),
            weights: weights.collect(),
            slow_start: self.slow_start.duration(),
            protocol: self.protocol,
            transport: self.transport,
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
            resolve_interval: self.resolve_interval.duration(),
            ejection_failures: self.ejection_failures,
            ejection_time: self.ejection_time.duration(),
            ejection_time_max: self.ejection_time_max.duration(),
            bounds,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            weights: BTreeMap::new(),
            slow_start: Period::from_secs(10),
            protocol: Protocol::Binary,
            transport: Transport::Framed,
            connections: Sharing::Shared,
            timeout: None,
            connect_timeout: Period::from_millis(250),
            attempt_timeout: None,
            retries: 2,
            retry_percent: 20,
            retry_burst: 10,
            max_connections: 64,
            max_waiting: 1024,
            idle_timeout: Period::from_millis(2500),
            resolve_interval: Period::from_secs(10),
            ejection_failures: 5,
            ejection_time: Period::from_secs(1),
            ejection_time_max: Period::from_secs(30),
        }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            if self.endpoints.iter().take(at).any(|earlier| earlier == endpoint) {
                found.push(Finding::new("endpoints", format!("{endpoint} is listed twice")));
            }
        }
        for (endpoint, weight) in &self.weights {
            if !self.endpoints.contains(endpoint) {
                let message = format!("{endpoint} is not one of the endpoints");
                found.push(Finding::new("weights", message));
            }
            if !WEIGHTS.contains(weight) {
                let message = format!("{weight}, of {endpoint}, is not from 1 to {}", WEIGHTS.end());
                found.push(Finding::new("weights", message));
            }
        }
        if self.ejection_time_max < self.ejection_time {
            let message =
                format!("{} is less than ejection_time, {}", self.ejection_time_max, self.ejection_time);
            found.push(Finding::new("ejection_time_max", message));
        }
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

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError::Port)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(EndpointError::Port)?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let valid = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        };
        match valid {
            true => Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port }),
            false => Err(EndpointError::Host),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It does not end in a colon and a number.
    #[error("a port from 1 to 65535 is missing")]
    Port,
    /// What goes before the port is no host.
    #[error("the host is neither an address nor a name")]
    Host,
}

/// A share of nothing would be an endpoint that is never found to be back.
const WEIGHTS: RangeInclusive<u32> = 1..=1000;
/// thriftpy2's default for the time that a server waits for a connection's next call.
const THRIFTPY2_TIMEOUT: Period = Period::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        let check = |text: &str, expected: Result<(&str, u16), EndpointError>| {
            let read = text.parse::<Endpoint>();
            let pair =
                read.as_ref().map(|endpoint| (endpoint.host.as_str(), endpoint.port)).map_err(|error| *error);
            assert_eq!(pair, expected, "{text}");
            if let Ok(endpoint) = read {
                assert_eq!(endpoint.to_string(), text);
            }
        };
        check("10.0.0.1:9191", Ok(("10.0.0.1", 9191)));
        check("db.example:9191", Ok(("db.example", 9191)));
        check("[::1]:9191", Ok(("::1", 9191)));
        check("db.example", Err(EndpointError::Port));
        check("db.example:0", Err(EndpointError::Port));
        check("db.example:http", Err(EndpointError::Port));
        check(":9191", Err(EndpointError::Host));
        check("http://db:9191", Err(EndpointError::Host));
        check("::1:9191", Err(EndpointError::Host));
    }
}
