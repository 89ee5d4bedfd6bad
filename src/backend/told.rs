//! What the log tells of an endpoint and of its methods when their state changes: why, after what, and for how long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::cell::Turned;
use super::endpoint::Endpoint;
use super::standing::Why;
use crate::fault::Fault;

impl Endpoint {
    /// Tells that it has left the rotation.
    pub(super) fn tell_ejected(&self, why: Why, fault: Option<&Fault>) {
        let (backend, endpoint) = (self.means.name(), &self.address);
        match why {
            Why::Draining => info!(%backend, %endpoint, "endpoint asks for no calls"),
            Why::Drained | Why::Ordered => {
                info!(%backend, %endpoint, why = why.as_str(), "endpoint is taken out by an operator");
            }
            Why::Refused | Why::Untrusted | Why::Closed | Why::Silent | Why::Unwell | Why::Failing => {
                let seen = self.position.seen();
                let after = seen.evidence(why, self.pulse.silence(), self.cells.out().len());
                let next_check = seen.next_check.map(|at| at.saturating_duration_since(Instant::now()));
                let (next_check_ms, fault) =
                    (next_check.map(|time| time.as_millis()), fault.map(tracing::field::display));
                let untrusted = self.untrusted.load();
                let untrusted = untrusted.as_ref().map(|why| why.as_str());
                let why_word = why.as_str();
                warn!(%backend, %endpoint, why = why_word, after, next_check_ms, fault, untrusted, "endpoint ejected");
                self.hint(why);
            }
        }
    }

    /// Tells once what is most often wrong with an endpoint of which nothing was ever read.
    fn hint(&self, why: Why) {
        if why != Why::Closed || self.pulse.was_heard() || self.hinted.swap(true, Ordering::Relaxed) {
            return;
        }
        let (backend, endpoint) = (self.means.name(), &self.address);
        let transport = if self.posts.is_some() { "http" } else { self.speech.transport.as_str() };
        let tls = match self.proves {
            // With TLS 1.3 a certificate is refused when the handshake is over.
            Some(_) => ", and does it take this gateway's certificate, or ask for one?",
            None => "?",
        };
        warn!(%backend, %endpoint, "every connection to this endpoint was closed without one reply ever: is its transport really {transport}{tls}");
    }

    /// Tells that calls are to find out whether it is back.
    pub(super) fn tell_tried(&self, why: Why) {
        debug!(backend = %self.means.name(), endpoint = %self.address, why = why.as_str(), "endpoint is tried again");
    }

    /// Tells that they found that it is not. That is no news.
    pub(super) fn tell_failed(&self, why: Why, fault: Option<&Fault>) {
        let fault = fault.map(tracing::field::display);
        debug!(backend = %self.means.name(), endpoint = %self.address, why = why.as_str(), fault, "endpoint stays out");
    }

    /// Tells that it is back.
    pub(super) fn tell_returned(&self, why: Why, out: Duration) {
        let (backend, endpoint) = (self.means.name(), &self.address);
        info!(%backend, %endpoint, why = why.as_str(), out_ms = out.as_millis(), "endpoint is back");
    }

    /// Tells what became of one of its methods. That who was to find out has failed is no news.
    pub(super) fn tell_method(&self, turned: Turned, method: &str, fault: Option<&Fault>) {
        let (backend, endpoint, fault) =
            (self.means.name(), &self.address, fault.map(tracing::field::display));
        match turned {
            Turned::No => {}
            Turned::Out { time, failures } => {
                let after = match failures {
                    0 => "a silence longer than its answers ever took".to_owned(),
                    failures => format!("{failures} failures in a row"),
                };
                let for_ms = time.as_millis();
                warn!(%backend, %endpoint, method, after, for_ms, fault, "method out at an endpoint");
            }
            Turned::StillOut(time) => {
                debug!(%backend, %endpoint, method, for_ms = time.as_millis(), fault, "method stays out at an endpoint");
            }
            Turned::Back(out) => {
                info!(%backend, %endpoint, method, out_ms = out.as_millis(), "method is back at an endpoint");
            }
        }
    }
}
