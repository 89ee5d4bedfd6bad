//! Purges: what somebody outside knows to be wrong is declared so, and every order leaves a line in the log.

pub(crate) mod authority;
pub(crate) mod order;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::{info, warn};

use crate::accept::Asker;
use crate::cache::{Cache, Ticket};
use crate::clock::Clock;
use crate::gateway::named::{Asked, Directory, Unknown};
use crate::log::AUDIT;
use crate::mark::{Cover, Kind, Mark, Reach};

use order::{Order, What};

/// Who purges, and what they purge in.
#[derive(Debug)]
pub(crate) struct Purges {
    directory: Directory,
    cache: Arc<Cache>,
    clock: Clock,
    counts: Family<Labels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    what: &'static str,
    kind: &'static str,
}

/// Who gave an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orderer {
    /// By which door it came.
    pub by: &'static str,
    /// From where.
    pub from: Asker,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Purged {
    /// What was marked, each by what it is and its name.
    pub marked: Vec<String>,
    /// How.
    pub kind: Kind,
    /// The place of the mark in the order of those that this gateway knows.
    pub tick: u64,
    /// The same among those of all gateways that share a tier, its epoch and sequence, once it has one there.
    pub version: Option<String>,
    /// How far it has got: `gateway` is the process that was asked, `redis` the shared tier too, and `fleet` all gateways of that.
    pub reached: String,
    /// What is legal and perhaps not meant.
    pub warnings: Vec<String>,
}

/// Why nothing was marked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// It names what there is not.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// No rule keeps it.
    #[error("no rule caches {0}: nothing is kept of it")]
    NotKept(String),
    /// It would take away what answers in the place of backends that are down.
    #[error(
        "{0} down: a hard purge of all takes away what answers meanwhile; a soft one does not, and force does it all the same"
    )]
    Cover(String),
}

/// What an order comes to.
#[derive(Debug, Default)]
struct Target {
    covers: Vec<Cover>,
    marked: Vec<String>,
    warnings: Vec<String>,
}

impl Purges {
    /// Purges of what `directory` serves from `cache`, counted where `registry` shows it.
    pub(crate) fn new(
        directory: Directory,
        cache: Arc<Cache>,
        clock: Clock,
        registry: &mut Registry,
    ) -> Self {
        let counts = Family::default();
        registry.register("larder_purges", "Orders to purge that were carried out", Family::clone(&counts));
        Self { directory, cache, clock, counts }
    }

    /// Carries out an order, or says why not. It is done when this ends: what was learnt before answers no more, or in an outage alone.
    pub(crate) async fn purge(&self, order: &Order, orderer: Orderer) -> Result<Purged, Refusal> {
        let Orderer { by, from } = orderer;
        let (what, kind, why) = (order.what.to_string(), order.kind.as_str(), order.why.as_str());
        let spared = self.spare_the_cover(order).await;
        let target = spared.and_then(|()| self.target(order)).inspect_err(|refusal| {
            warn!(target: AUDIT, by, %from, %what, kind, why, %refusal, "purge refused");
        })?;
        let Target { covers, marked, mut warnings } = target;
        let mark = Mark { covers: covers.into(), kind: order.kind, settle: Duration::ZERO };
        let ticket = self.cache.mark(mark, self.clock.now());
        let tick = self.cache.marks().latest().0;
        let reached = self.reaches(ticket).await;
        let version = ticket.and_then(|ticket| self.cache.place(ticket)).map(|place| place.to_string());
        self.counts.get_or_create(&Labels { what: order.what.as_str(), kind }).inc();
        info!(target: AUDIT, by, %from, %what, kind, why, tick, version, reached = reached.as_str(), "purged");
        warnings.extend(ticket.and_then(|_| shortfall(reached)).map(str::to_owned));
        let reached = reached.as_str().to_owned();
        Ok(Purged { marked, kind: order.kind, tick, version, reached, warnings })
    }

    /// Waits for the other gateways to hear of a mark, and says how far it has got.
    async fn reaches(&self, ticket: Option<Ticket>) -> Reach {
        match ticket {
            // There may be others, of which this one cannot know.
            None => Reach::Gateway,
            Some(ticket) => self.cache.reaches(Some(ticket), Reach::Fleet).await,
        }
    }

    fn target(&self, order: &Order) -> Result<Target, Refusal> {
        let one =
            |cover| Target { covers: vec![cover], marked: vec![order.what.to_string()], ..Target::default() };
        Ok(match &order.what {
            What::All => one(Cover::all()),
            What::Service(name) => {
                self.directory.service(name)?;
                one(Cover::service(name.as_bytes()))
            }
            What::Method(name) => {
                let name = self.directory.method(name)?;
                one(Cover::method(name.service.as_bytes(), name.method.as_bytes()))
            }
            What::Key(hash) => one(Cover(*hash)),
            What::Tags(tags) => self.tags(tags),
            What::Call { method, arguments } => {
                let asked = self.directory.call(&self.directory.method(method)?, arguments)?;
                call(method, asked)?
            }
        })
    }

    /// Refuses to purge all hard while backends are down. One that nobody has called lately may be, and not be known to be: so
    /// each is asked for a sign of life, which takes two times `check_timeout` at most.
    async fn spare_the_cover(&self, order: &Order) -> Result<(), Refusal> {
        if order.what != What::All || order.kind != Kind::Hard || order.force {
            return Ok(());
        }
        let backends = self.directory.backends();
        let answers = join_all(backends.iter().map(|one| one.gives_sign_of_life())).await;
        let down: Vec<&str> = backends
            .iter()
            .zip(answers)
            .filter(|(_, answers)| !answers)
            .map(|(one, _)| &**one.name())
            .collect();
        match down.as_slice() {
            [] => Ok(()),
            [one] => Err(Refusal::Cover(format!("backend {one} is"))),
            many => Err(Refusal::Cover(format!("backends {} are", many.join(", ")))),
        }
    }

    /// Tags by their names, and what may have them although nobody could tell.
    fn tags(&self, tags: &[String]) -> Target {
        let mut target = Target::default();
        let routes = self.directory.routes();
        for tag in tags {
            target.covers.push(Cover::tag(tag.as_bytes()));
            target.marked.push(format!("tag {tag}"));
            let taggings =
                routes.iter().flat_map(|routes| routes.keyed()).map(|keyed| &keyed.caching.tagging);
            let untold: BTreeSet<Cover> =
                taggings.flat_map(|tagging| tagging.untold_of(tag.as_bytes())).collect();
            if untold.is_empty() {
                target.warnings.push(format!("no rule in force makes a tag that reads {tag:?}"));
            }
            target.covers.extend(untold);
        }
        target
    }
}

/// What to say of a mark that has not come to all gateways of a shared tier.
fn shortfall(reached: Reach) -> Option<&'static str> {
    match reached {
        Reach::Gateway => {
            Some("the shared tier has not taken it yet: the other gateways are told as soon as it does")
        }
        Reach::Shared => {
            Some("not all gateways are known to have heard of it; they will, unless the shared tier loses it")
        }
        Reach::Fleet => None,
    }
}

/// A call in all the ways in which it may be asked: each is kept under a key of its own.
fn call(method: &str, asked: Vec<Asked>) -> Result<Target, Refusal> {
    let keys: Result<Vec<_>, _> = asked.into_iter().map(Asked::anybodys_key).collect();
    let keys: BTreeSet<Vec<u8>> = keys.map_err(Unknown::from)?.into_iter().flatten().collect();
    if keys.is_empty() {
        return Err(Refusal::NotKept(method.to_owned()));
    }
    let covers: Vec<Cover> = keys.iter().map(|key| Cover::key(key)).collect();
    let hashes = covers.iter().map(|Cover(hash)| format!("key {hash:032x}"));
    let marked = [format!("call {method}")].into_iter().chain(hashes).collect();
    Ok(Target { covers, marked, warnings: Vec::new() })
}
