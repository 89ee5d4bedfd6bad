//! The ledger of outages: when no endpoint of a backend was in rotation, why, and what its callers got meanwhile.

use crate::dial::Address;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::admin::outage::{Outage, OutageCalls};
use crate::backend::Why;
use crate::clock::Millis;
use crate::metrics::OutageSums;
use crate::state::State;

/// The outages of all backends.
#[derive(Debug)]
pub(super) struct Ledger {
    state: Arc<State>,
    begun: Family<Named, Counter>,
    book: Mutex<Book>,
    /// Whether another process keeps it from here on.
    passed_on: AtomicBool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    backend: String,
}

#[derive(Debug, Default)]
struct Book {
    /// Those that are over, the latest first.
    past: VecDeque<Outage>,
    /// Those that last, by backend.
    lasting: BTreeMap<String, Outage>,
}

impl Ledger {
    /// An empty one, which is kept in `state`.
    pub(super) fn new(state: Arc<State>, registry: &mut Registry) -> Self {
        let begun = Family::default();
        registry.register(
            "larder_outages",
            "Outages: times that no endpoint was in rotation any more",
            begun.clone(),
        );
        Self { state, begun, book: Mutex::default(), passed_on: AtomicBool::new(false) }
    }

    /// Takes over what an earlier process has kept. What lasted when it was last seen was interrupted then.
    pub(super) async fn recall(&self) {
        let kept: Vec<Outage> = self.state.load(KEPT_AS).await.unwrap_or_default();
        let ended = kept.into_iter().map(|outage| Outage {
            interrupted: outage.interrupted || outage.ended_unix_seconds.is_none(),
            ended_unix_seconds: outage
                .ended_unix_seconds
                .or(Some(outage.began_unix_seconds + outage.seconds)),
            ..outage
        });
        let mut book = self.book();
        book.past.extend(ended);
        book.past.truncate(REMEMBERED);
    }

    /// Another process has taken it over: what is kept is that one's.
    pub(super) fn pass_on(&self) {
        self.passed_on.store(true, Ordering::Relaxed);
    }

    /// Keeps it for the next start.
    pub(super) async fn keep(&self) {
        if self.passed_on.load(Ordering::Relaxed) {
            return;
        }
        self.state.keep(KEPT_AS, &self.all()).await;
    }

    /// A backend is down as of now.
    pub(super) fn begin(&self, backend: &str, coverage_percent: Option<f64>, now: Millis) {
        let outage = Outage {
            backend: backend.to_owned(),
            began_unix_seconds: seconds(now),
            ended_unix_seconds: None,
            seconds: 0.0,
            interrupted: false,
            endpoints: BTreeMap::new(),
            coverage_percent,
            calls: OutageCalls::default(),
            oldest_age_seconds: 0.0,
        };
        self.begun.get_or_create(&Named { backend: backend.to_owned() }).inc();
        self.book().lasting.insert(backend.to_owned(), outage);
    }

    /// Takes down how an outage goes on, if one lasts: what became of calls so far, and which endpoints are out and why.
    pub(super) fn note(&self, backend: &str, sums: OutageSums, out: &[(Address, Why)], now: Millis) {
        let mut book = self.book();
        let Some(outage) = book.lasting.get_mut(backend) else { return };
        // In whole milliseconds, as both moments are.
        outage.seconds = ((seconds(now) - outage.began_unix_seconds) * 1_000.0).round() / 1_000.0;
        outage.calls = calls(sums);
        outage.oldest_age_seconds = sums.oldest.as_secs_f64();
        for (address, why) in out {
            let reasons = outage.endpoints.entry(address.to_string()).or_default();
            if reasons.last().is_none_or(|last| last != why.as_str()) && reasons.len() < REASONS {
                reasons.push(why.as_str().to_owned());
            }
        }
    }

    /// A backend is back as of now. Returns its outage.
    pub(super) fn end(&self, backend: &str, sums: OutageSums, now: Millis) -> Option<Outage> {
        self.note(backend, sums, &[], now);
        let mut book = self.book();
        let outage = book.lasting.remove(backend)?;
        let over = Outage { ended_unix_seconds: Some(seconds(now)), ..outage };
        book.past.push_front(over.clone());
        book.past.truncate(REMEMBERED);
        Some(over)
    }

    /// The outage of a backend that lasts.
    pub(super) fn lasting(&self, backend: &str) -> Option<Outage> {
        self.book().lasting.get(backend).cloned()
    }

    /// All outages: those that last, and then the latest first.
    pub(super) fn all(&self) -> Vec<Outage> {
        let book = self.book();
        book.lasting.values().chain(&book.past).cloned().collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn calls(sums: OutageSums) -> OutageCalls {
    let OutageSums { fresh, stale, backup, fallback, failed, asked, oldest: _ } = sums;
    OutageCalls { fresh, stale, backup, fallback, failed, asked }
}

fn seconds(at: Millis) -> f64 {
    at.0 as f64 / 1_000.0
}

/// The name of what is kept.
const KEPT_AS: &str = "outages";
/// Outages that are remembered after their end.
const REMEMBERED: usize = 100;
/// Changes of what keeps an endpoint out that are remembered of one outage.
const REASONS: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::files::Memory;

    fn ledger(files: &Memory) -> Ledger {
        let state = State::new(Arc::new(files.clone()), Some("/state".into()));
        Ledger::new(Arc::new(state), &mut Registry::default())
    }

    fn at(seconds: u64) -> Millis {
        Millis(seconds * 1_000)
    }

    #[test]
    fn an_outage_is_told_with_its_sums_and_every_reason() {
        let ledger = ledger(&Memory::default());
        let address: Address = "10.0.0.1:9090".parse().unwrap();
        ledger.begin("users", Some(90.0), at(100));
        ledger.note("users", OutageSums::default(), &[], Millis(100_097));
        assert_eq!(ledger.lasting("users").unwrap().seconds, 0.097);
        let sums =
            OutageSums { stale: 3, failed: 1, oldest: Duration::from_secs(7), ..OutageSums::default() };
        for why in [Why::Silent, Why::Silent, Why::Refused] {
            ledger.note("users", sums, &[(address.clone(), why)], at(110));
        }
        ledger.note("teams", sums, &[(address, Why::Silent)], at(110));
        let lasting = ledger.lasting("users").unwrap();
        assert_eq!((lasting.seconds, lasting.ended_unix_seconds), (10.0, None));
        let over = ledger.end("users", OutageSums { fallback: 2, ..sums }, at(160)).unwrap();
        assert_eq!(over.endpoints["10.0.0.1:9090"], ["silent", "refused"]);
        let calls = OutageCalls { stale: 3, fallback: 2, failed: 1, ..OutageCalls::default() };
        assert_eq!((over.calls, over.oldest_age_seconds, over.seconds), (calls, 7.0, 60.0));
        assert_eq!((over.began_unix_seconds, over.ended_unix_seconds), (100.0, Some(160.0)));
        assert_eq!((ledger.all(), ledger.lasting("users")), (vec![over], None));
    }

    #[test]
    fn a_hundred_outages_are_remembered_the_latest_first() {
        let ledger = ledger(&Memory::default());
        for number in 0..150 {
            ledger.begin("users", None, at(number));
            ledger.end("users", OutageSums::default(), at(number + 1));
        }
        ledger.begin("teams", None, at(200));
        let began: Vec<f64> = ledger.all().iter().map(|outage| outage.began_unix_seconds).collect();
        assert_eq!((began.len(), began[0], began[1], began[100]), (101, 200.0, 149.0, 50.0));
    }

    #[tokio::test]
    async fn the_next_start_knows_them_and_what_lasted_was_interrupted() {
        let files = Memory::default();
        let before = ledger(&files);
        before.begin("users", None, at(100));
        before.end("users", OutageSums::default(), at(101));
        before.begin("users", Some(50.0), at(200));
        before.note("users", OutageSums { stale: 9, ..OutageSums::default() }, &[], at(230));
        before.keep().await;
        let after = ledger(&files);
        after.recall().await;
        let [last, first] = &after.all()[..] else { panic!("there were two") };
        assert_eq!((first.interrupted, first.ended_unix_seconds), (false, Some(101.0)));
        assert_eq!((last.interrupted, last.ended_unix_seconds, last.calls.stale), (true, Some(230.0), 9));
        after.keep().await;
        before.pass_on();
        before.end("users", OutageSums::default(), at(300));
        before.keep().await;
        let again = ledger(&files);
        again.recall().await;
        assert_eq!(again.all(), after.all());
    }

    #[tokio::test]
    async fn what_is_broken_is_replaced() {
        let files = Memory::default();
        files.put("/state/outages.json", "[{\"backend\": 3}]");
        let ledger = ledger(&files);
        ledger.recall().await;
        assert_eq!(ledger.all(), []);
        ledger.begin("users", None, at(100));
        ledger.keep().await;
        assert!(String::from_utf8(files.get("/state/outages.json").unwrap()).unwrap().contains("users"));
    }
}
