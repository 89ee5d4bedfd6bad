//! Clients whose bytes cannot be read, or who speak no TLS where they should: the log names each kind once in a while, and counts the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::accept::Asker;
use crate::tls::Failed;
use crate::wire::WireError;
use crate::wire::detect::Foreign;

/// The kinds that came to one listener.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// By the word for it in metrics, of which there are few.
    kinds: Mutex<BTreeMap<&'static str, Kind>>,
}

#[derive(Debug)]
struct Kind {
    told: Instant,
    /// Since then.
    untold: u64,
}

impl Strangers {
    /// Tells of a client whose bytes cannot be read, unless one of its kind was told of in the last minute.
    pub(super) fn tell(&self, listener: &str, client: Asker, error: &WireError) {
        let hint = hint(error);
        if let Some(dropped) = self.admit(error.reason()) {
            tracing::warn!(listener, %client, %error, hint, dropped, "a client's bytes cannot be read");
        } else {
            tracing::debug!(listener, %client, %error, hint, "a client's bytes cannot be read");
        }
    }

    /// Tells of a client whose TLS handshake came to nothing, in the same way. One that leaves in it is most often a probe.
    pub(super) fn tell_failed(&self, listener: &str, client: Asker, failed: &Failed) {
        let hint = failed.hint();
        match self.admit(failed.reason()).filter(|_| *failed != Failed::Left) {
            Some(dropped) => {
                tracing::warn!(listener, %client, error = %failed, hint, dropped, "a client's tls handshake failed");
            }
            None => {
                tracing::debug!(listener, %client, error = %failed, hint, "a client's tls handshake failed")
            }
        }
    }

    /// Whether one of this kind is to be told of, and how many were not since the last that was.
    fn admit(&self, kind: &'static str) -> Option<u64> {
        let (now, mut kinds) = (Instant::now(), self.kinds.lock().unwrap_or_else(PoisonError::into_inner));
        match kinds.get_mut(kind) {
            Some(known) if now.saturating_duration_since(known.told) < TOLD_EACH => {
                known.untold += 1;
                None
            }
            known => {
                let dropped = known.map_or(0, |known| known.untold);
                kinds.insert(kind, Kind { told: now, untold: 0 });
                Some(dropped)
            }
        }
    }
}

/// What to do about it, where that is known.
fn hint(error: &WireError) -> Option<&'static str> {
    let WireError::Foreign(foreign) = error else { return None };
    match foreign {
        Foreign::Http => Some(
            "probes of a balancer have /livez and /readyz at the admin endpoint, or open a connection and no more",
        ),
        Foreign::Tls => {
            Some("this listener speaks no tls: give it a table tls, or have the client speak none")
        }
        Foreign::TtHeader => Some("have the client speak framed, or thrift's own header transport"),
        Foreign::Json => Some("have the client speak binary or compact"),
        Foreign::Other(..) => {
            Some("the listener's transport or protocol is fixed: without it, each client's first bytes tell")
        }
        Foreign::Ssh | Foreign::Redis | Foreign::Postgres | Foreign::Garbage => None,
    }
}

/// Between two lines of one kind.
const TOLD_EACH: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::captured::Captured;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_named_once_a_minute_and_the_others_are_counted() {
        let captured = Captured::by("info");
        let (strangers, client) = (Strangers::default(), Asker::Address("10.0.0.7:5000".parse().unwrap()));
        for _ in 0..3 {
            strangers.tell("users", client, &WireError::Foreign(Foreign::Tls));
            strangers.tell("users", client, &WireError::Foreign(Foreign::Redis));
        }
        tokio::time::advance(TOLD_EACH).await;
        strangers.tell("users", client, &WireError::Foreign(Foreign::Tls));
        let [first, redis, again] = &captured.lines()[..] else { panic!("{:?}", captured.lines()) };
        assert!(
            first.contains(
                "client=10.0.0.7:5000 error=\"tls instead of thrift\" hint=\"this listener speaks no tls"
            ),
            "{first}"
        );
        assert!(first.ends_with("dropped=0") && redis.contains("redis") && again.ends_with("dropped=2"));
    }
}
