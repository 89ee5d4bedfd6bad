//! What the local tier holds, by method. To look is no call: nothing is moved, refreshed or dropped by it.
//!
//! It is counted by a walk through all of it, when somebody asks and no walk was made of late. A walk goes on the asker's thread, in parts, and no
//! call waits for it: counting along with each put and each eviction would cost the calls, and could drift from what is there.

mod count;
pub(crate) mod stock;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::entry::Slot;
use crate::gateway::keepers::Keepers;
use crate::gateway::named::Directory;

use count::{Count, Judged, named};
use stock::Stock;

/// Who knows what is held.
#[derive(Debug)]
pub(crate) struct Inventory {
    directory: Directory,
    cache: Arc<Cache>,
    clock: Clock,
    /// What was counted last, and when. One walk goes at a time.
    last: Mutex<Option<(Instant, Arc<Stock>)>>,
    entries: Family<Method, Gauge>,
    bytes: Family<Method, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    method: String,
}

impl Inventory {
    /// Counts what `cache` holds by the rules of `directory`; `registry` shows what was counted last.
    pub(crate) fn new(
        directory: Directory,
        cache: Arc<Cache>,
        clock: Clock,
        registry: &mut Registry,
    ) -> Self {
        let (entries, bytes) = (Family::default(), Family::default());
        let help = "Entries in the local tier, as they were last counted";
        registry.register("larder_local_method_entries", help, Family::clone(&entries));
        let help = "Bytes in the local tier, as they were last counted";
        registry.register("larder_local_method_bytes", help, Family::clone(&bytes));
        Self { directory, cache, clock, last: Mutex::default(), entries, bytes }
    }

    /// What is held, as it was counted at most [`YOUNG`] ago.
    pub(crate) async fn stock(&self) -> Arc<Stock> {
        let mut last = self.last.lock().await;
        match &*last {
            Some((counted, stock)) if counted.elapsed() < YOUNG => Arc::clone(stock),
            Some(_) | None => {
                let stock = Arc::new(self.count().await);
                self.show(&stock);
                *last = Some((Instant::now(), Arc::clone(&stock)));
                stock
            }
        }
    }

    async fn count(&self) -> Stock {
        let (began, now, marks) = (Instant::now(), self.clock.now(), self.cache.marks());
        let keepers = Keepers::of(self.directory.gateways().values());
        let (mut methods, mut seen) = (BTreeMap::<String, Count>::new(), 0);
        let is_whole = self
            .cache
            .local()
            .walk(|key, slot| {
                seen += 1;
                if let Slot::Entry(entry) = slot {
                    let name = named(key, |name| methods.contains_key(name) || methods.len() < METHODS_MAX);
                    let judged = Judged::by(&keepers, key, entry, now, marks);
                    methods.entry(name).or_default().add(
                        slot.weight(key.len()),
                        now.since(entry.born),
                        judged,
                    );
                }
                began.elapsed() < WALK_MAX
            })
            .await;
        Stock {
            whole: is_whole,
            seen,
            took_seconds: began.elapsed().as_secs_f64(),
            methods: methods.into_iter().map(|(name, count)| count.stock(name)).collect(),
        }
    }

    /// A part of what is held is no number for a graph.
    fn show(&self, stock: &Stock) {
        self.entries.clear();
        self.bytes.clear();
        for one in stock.methods.iter().filter(|_| stock.whole) {
            let method = Method { method: one.method.clone() };
            self.entries.get_or_create(&method).set(i64::try_from(one.entries).unwrap_or(i64::MAX));
            self.bytes.get_or_create(&method).set(i64::try_from(one.bytes).unwrap_or(i64::MAX));
        }
    }
}

/// For how long what was counted is told again.
const YOUNG: Duration = Duration::from_secs(10);
/// The longest walk: an exchange with the admin endpoint ends after 10 s.
const WALK_MAX: Duration = Duration::from_secs(5);
/// Methods that are told apart; those of the keys of earlier rules are among them.
const METHODS_MAX: usize = 1_000;
