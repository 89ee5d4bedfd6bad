//! Explanations: what is known of one call, and what would answer it. To ask is no call, and changes nothing of what is kept.

mod calls;
mod held;
pub(crate) mod report;
pub(crate) mod told;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value as Json;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::gateway::asking::Asking;
use crate::gateway::named::{Asked, Directory, Served, Unknown};
use crate::rule::Caching;
use crate::rule::method::Ruled;
use crate::rule::sessions::Leaves;
use crate::rule::tagging::template::Template;
use crate::verification::Tally;

use calls::Question;
use report::{
    BackendReport, Explanation, ListenerReport, RuleReport, SharingReport, VerificationReport, WindowsReport,
};

/// Who explains calls, and out of what.
#[derive(Debug)]
pub(crate) struct Explainer {
    directory: Directory,
    cache: Arc<Cache>,
    clock: Clock,
}

impl Explainer {
    /// Explains calls of what `directory` serves from `cache`.
    pub(crate) fn new(directory: Directory, cache: Arc<Cache>, clock: Clock) -> Self {
        Self { directory, cache, clock }
    }

    /// What is known of a call of the method that `name` says, as `Service.method`, with these arguments by name. The shared tier is asked within
    /// its read timeout.
    ///
    /// # Errors
    /// If there is no such method, or the arguments are not its own.
    pub(crate) async fn explain(&self, name: &str, arguments: &Json) -> Result<Explanation, Unknown> {
        let method = self.directory.method(name)?;
        let (asked, untold) = match self.directory.call(&method, arguments) {
            Ok(asked) => (asked, None),
            Err(why @ Unknown::Undeclared(..)) => (Vec::new(), Some(why.to_string())),
            Err(why) => return Err(why),
        };
        let (served, question) = (self.directory.served(&method), Question { method: &method, arguments });
        let listeners = served.iter().map(|served| self.listener(served, &asked, question));
        let listeners = join_all(listeners).await;
        let shared = self.cache.sharing(self.clock.now());
        let shared = shared.map(|sharing| SharingReport { up: sharing.is_up, hears: sharing.is_leased });
        Ok(Explanation { method: name.to_owned(), untold, shared, listeners })
    }

    async fn listener(&self, served: &Served, asked: &[Asked], question: Question<'_>) -> ListenerReport {
        let Served { gateway, ruled, route, .. } = served;
        let here = asked.iter().filter(|asked| Arc::ptr_eq(&asked.gateway, gateway));
        let calls = join_all(here.map(|asked| self.call(question, asked, served))).await;
        let asking = route.usually();
        ListenerReport {
            listener: gateway.counts.listener().to_string(),
            rule: rule(served),
            backend: backend(asking, ruled),
            backup: asking.backup.as_ref().map(|backup| backend(&backup.asking, ruled)),
            calls,
        }
    }
}

fn backend(asking: &Asking, ruled: &Ruled) -> BackendReport {
    let backend = asking.backend();
    let out = asking.is_out(ruled.label.as_bytes());
    let spared = asking.is_spared();
    BackendReport { name: backend.name().to_string(), down: backend.is_down(), out, spared }
}

fn rule(served: &Served) -> RuleReport {
    let Served { ruled, route, .. } = served;
    let makes_session = route.leaves == Leaves::Session;
    let not_kept = match ruled.not_kept {
        None if makes_session => Some(SESSION.to_owned()),
        not_kept => not_kept.map(|why| why.to_string()),
    };
    let marked = ruled.rule.invalidation.iter().flat_map(|invalidation| invalidation.templates.iter());
    RuleReport {
        pattern: ruled.governing.as_ref().map(|(pattern, _)| pattern.to_string()),
        annotation: ruled.annotation.as_ref().map(ToString::to_string),
        mode: ruled.governing.as_ref().map(|(_, mode)| mode.as_str().to_owned()),
        not_kept,
        windows: route.keyed().map(|keyed| windows(&keyed.caching)),
        verification: verification(served),
        fallback: ruled.rule.fallback.is_some(),
        switches: ruled.steered.iter().map(ToString::to_string).collect(),
        invalidates: marked.map(Template::pattern).collect(),
    }
}

fn verification(Served { gateway, ruled, route, .. }: &Served) -> Option<VerificationReport> {
    let share = route.keyed()?.caching.verify?.to_string();
    let (pattern, _) = ruled.governing.as_ref()?;
    let Tally { matches, changed, mismatches } = gateway.verification.trust.tally(&pattern.to_string());
    Some(VerificationReport { share, matches, changed, mismatches })
}

fn windows(caching: &Caching) -> WindowsReport {
    let tiers = [("local", caching.tiers.local()), ("shared", caching.tiers.shared())];
    WindowsReport {
        ttl: caching.ttl.as_secs_f64(),
        stale_while_revalidate: caching.stale_while_revalidate.as_secs_f64(),
        stale_if_error: caching.stale_if_error.max(caching.hold).as_secs_f64(),
        soft_timeout: caching.soft_timeout.as_ref().map(Duration::as_secs_f64),
        tiers: tiers.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect(),
    }
}

/// Why no rule keeps the replies of a method that is known to make a session.
const SESSION: &str = "its name says that it makes a session, whose answers are for one connection";
