//! The gateway as its operators see and steer it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::gateway::Gateway;
use super::metrics::Metrics;
use super::{eventually, http};

impl Gateway {
    /// The socket through which operators of this machine ask and give orders.
    pub(crate) fn door(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    /// The metrics as they are now.
    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        metrics_at(self.admin)
    }

    /// One of them, summed over the labels that are not named.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.metrics().sum(name, labels) as u64
    }

    /// How many calls ended so.
    #[track_caller]
    pub(crate) fn outcomes(&self, outcome: &str) -> u64 {
        self.metric("larder_calls_total", &[("outcome", outcome)])
    }

    /// How many calls met this fault.
    #[track_caller]
    pub(crate) fn faults(&self, fault: &str) -> u64 {
        self.metric("larder_faults_total", &[("fault", fault)])
    }

    /// How many client connections were closed for this reason.
    #[track_caller]
    pub(crate) fn closed(&self, reason: &str) -> u64 {
        self.metric("larder_connections_closed_total", &[("reason", reason)])
    }

    /// How many client connections were closed for any reason at all.
    #[track_caller]
    pub(crate) fn closed_for_any_reason(&self) -> u64 {
        self.metric("larder_connections_closed_total", &[])
    }

    /// Waits until it has connected to its Redis; until then it answers without.
    #[track_caller]
    pub(crate) fn finds_redis(&self) {
        eventually(|| self.metric("larder_shared_up", &[]) == 1);
    }

    /// The status and body of an admin page.
    pub(crate) fn page(&self, path: &str) -> Option<(u16, String)> {
        http::get(self.admin, path)
    }

    /// The status of an admin page that is asked for by this name.
    #[track_caller]
    pub(crate) fn page_as(&self, path: &str, host: &str) -> u16 {
        http::get_as(self.admin, path, host).expect("the admin endpoint answers").0
    }

    /// Gives it a command, and returns the status and what it says.
    #[track_caller]
    pub(crate) fn command(&self, path: &str) -> (u16, Json) {
        let (status, body) = self.post(path, "");
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// Sends it this, and returns the status and what it says.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.order("POST", path, body)
    }

    /// The same by any method.
    #[track_caller]
    pub(crate) fn order(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        http::ask_locally(&self.door(), (method, path), body).expect("the admin endpoint answers")
    }

    /// Sends it an order over the network, and returns the status and what it says.
    #[track_caller]
    pub(crate) fn post_over_network(&self, path: &str, body: &str) -> (u16, String) {
        http::post(self.admin, path, body).expect("the admin endpoint answers")
    }

    /// Has it purge, and returns the status and what it says.
    #[track_caller]
    pub(crate) fn purge(&self, order: Json) -> (u16, String) {
        purge_at(&self.door(), order).expect("the admin endpoint answers")
    }
}

/// The metrics that an admin endpoint shows now.
#[track_caller]
pub(crate) fn metrics_at(admin: SocketAddr) -> Metrics {
    let (status, page) = http::get(admin, "/metrics").expect("the admin endpoint answers");
    assert_eq!(status, 200);
    Metrics::parse(&page)
}

/// The status of an admin endpoint's `/readyz`.
pub(crate) fn readiness(admin: SocketAddr) -> Option<u16> {
    http::get(admin, "/readyz").map(|(status, _)| status)
}

/// The same of one that is asked through a socket in the file system.
pub(crate) fn readiness_through(socket: &Path) -> Option<u16> {
    http::ask_locally(socket, ("GET", "/readyz"), "").map(|(status, _)| status)
}

/// Has the gateway behind this door purge, and returns the status and what it says, or nothing where nobody answers.
pub(crate) fn purge_at(door: &Path, order: Json) -> Option<(u16, String)> {
    http::ask_locally(door, ("POST", "/v1/purge"), &order.to_string())
}
