//! A check: asks an endpoint for a sign of life beside all calls.

use tokio::time::{Instant, timeout};

use super::connection::{After, Broken, Connection, Verified};
use super::endpoint::Endpoint;
use super::finding::{Asked, Finding, Kind};
use crate::dial::Refusal;

/// Whether an endpoint reads one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Yes,
    No,
    /// There was no way to find out.
    Unknown,
}

impl Endpoint {
    /// Asks for a sign of life, over a connection that lies idle if there is one. A check counts for nothing among the calls.
    pub(super) async fn check(&self) -> Finding {
        // Who has all connections that may be has no room for a check.
        let Some(_permit) = self.pool.spare() else { return Finding::Nothing };
        let began = Instant::now();
        let asked = self.means.settings().check();
        let finding = match timeout(asked.timeout, self.asks(&asked)).await {
            Ok(finding) => finding,
            // Full is not dead: who answers on another connection has no time for this one.
            Err(_) if self.pulse.was_heard_since(began) || self.may_be_held_up() => Finding::Nothing,
            Err(_) => Finding::Late,
        };
        if asked.kind != Kind::Off {
            self.note_death(finding, began);
        }
        finding
    }

    /// Tells whether it may have died of what it broke off at before `began`.
    fn note_death(&self, finding: Finding, began: Instant) {
        let quarantine = &self.means.quarantine;
        match finding {
            Finding::Refused => self.means.refused(&self.address, Instant::now()),
            Finding::Alive | Finding::Warning | Finding::Draining | Finding::Unwell => {
                quarantine.lives(&self.address, began);
            }
            Finding::Untrusted | Finding::Closed | Finding::Late | Finding::Nothing => {}
        }
    }

    /// Whether it reads one more connection beside those it reads.
    pub(super) async fn reads_another(&self) -> Reads {
        let asked = self.means.settings().check();
        let (Kind::Call | Kind::Fb303, Some(permit)) = (asked.kind, self.pool.spare()) else {
            return Reads::Unknown;
        };
        let call = asked.call(self.speech.protocol);
        let exchange = async {
            let mut connection = self.connect().await.ok()?;
            let _anything = connection.exchange(&call).await;
            Some(())
        };
        let exchanged = timeout(asked.timeout, exchange).await;
        drop(permit);
        match exchanged {
            Ok(Some(())) => Reads::Yes,
            Ok(None) => Reads::Unknown,
            // It does answer on one that it reads.
            Err(_) if self.check().await == Finding::Alive => Reads::No,
            Err(_) => Reads::Unknown,
        }
    }

    async fn asks(&self, asked: &Asked) -> Finding {
        let call = match asked.kind {
            Kind::Off => return Finding::Alive,
            Kind::Tcp => return self.connect().await.map_or_else(Finding::unreached, |_| Finding::Alive),
            Kind::Call | Kind::Fb303 => asked.call(self.speech.protocol),
        };
        // One that its peer closes at rest, or for its age, says nothing.
        if let Some(mut idle) = self.pool.idle(&self.means.tally) {
            match idle.exchange(&call).await {
                Err(Broken::Unsent | Broken::Closed(_)) => {}
                reply => {
                    let finding = judge(asked, &reply);
                    if reply.is_ok_and(|reply| reply.after == After::Clean) {
                        self.pool.put_back(idle);
                    }
                    return finding;
                }
            }
        }
        match self.connect().await {
            Ok(mut connection) => judge(asked, &connection.exchange(&call).await),
            Err(refusal) => Finding::unreached(refusal),
        }
    }

    async fn connect(&self) -> Result<Box<Connection>, Refusal> {
        // Counted before it is there: who gets a permit meanwhile must find no room for one more.
        let open = self.pool.room();
        let stream = self.dial().await.map_err(|error| Refusal::of(&error))?;
        Ok(self.connection(stream, open))
    }
}

fn judge(asked: &Asked, reply: &Result<Verified, Broken>) -> Finding {
    match reply {
        Ok(reply) => asked.judge(reply),
        Err(Broken::Unsent | Broken::Closed(_)) => Finding::Closed,
        Err(Broken::Garbage(_) | Broken::Oversized(_)) => Finding::Unwell,
    }
}
