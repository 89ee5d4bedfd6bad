//! The servers of a cluster: which there are, what each owns, and whom to ask when one says that it is another.
//!
//! The map is `CLUSTER SLOTS` of any server that is well, asked for again whenever a server is left or sends a call elsewhere. A
//! call follows few such redirections within its own time; it never waits for the map, nor for a server that is down.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redis::{Pipeline, Value};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::Counts;
use super::door::{Door, Unreachable};
use super::failure::{Failure, Redirect, Setback};
use super::node::{Ask, Node, State};
use super::place::Place;
use super::slots::{Range, SLOTS, ranges, slot};
use super::supervisor::Supervisor;
use super::whereabouts::Whereabouts;

/// A cluster.
pub(super) struct Cluster {
    door: Arc<Door>,
    seeds: Vec<Place>,
    counts: Counts,
    map: ArcSwap<Map>,
    members: Mutex<HashMap<Place, Member>>,
    random: Mutex<StdRng>,
    /// Somebody found the map wrong, or a server down.
    amiss: Arc<Notify>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A server and where it is.
#[derive(Debug)]
struct Owner {
    place: Place,
    node: Arc<Node>,
}

/// A server that is looked after.
struct Member {
    owner: Arc<Owner>,
    tried: watch::Receiver<bool>,
    /// Since when it owns nothing.
    idle: Option<Instant>,
    _stop: DropGuard,
}

/// Who owns what.
#[derive(Clone, Default)]
struct Map {
    owners: Vec<Arc<Owner>>,
    /// For each slot, one more than its owner's place among them; 0 for none.
    slots: Vec<u16>,
}

impl Map {
    fn owner(&self, slot: u16) -> Option<&Arc<Owner>> {
        let at = self.slots.get(usize::from(slot)).copied()?;
        self.owners.get(usize::from(at).checked_sub(1)?)
    }

    /// Makes `owner` that of the slots from `first` to `last`.
    fn give(&mut self, first: u16, last: u16, owner: &Arc<Owner>) {
        self.slots.resize(usize::from(SLOTS), 0);
        let known = self.owners.iter().position(|known| known.place == owner.place);
        let at = known.unwrap_or_else(|| {
            self.owners.push(Arc::clone(owner));
            self.owners.len() - 1
        });
        let (range, number) = (usize::from(first)..=usize::from(last), u16::try_from(at + 1));
        if let (Some(slots), Ok(number)) = (self.slots.get_mut(range), number) {
            slots.fill(number);
        }
    }
}

impl Cluster {
    /// Begins to look after the cluster that the `seeds` belong to; the other end is told `true` when the first attempt to reach
    /// each server has ended.
    pub(super) fn start(
        door: Arc<Door>,
        seeds: Vec<Place>,
        counts: Counts,
        mut random: impl Rng,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> (Arc<Self>, watch::Receiver<bool>) {
        let random = Mutex::new(StdRng::seed_from_u64(random.random()));
        let (trying, tried) = watch::channel(false);
        let cluster = Arc::new(Self {
            door,
            seeds,
            counts,
            map: ArcSwap::default(),
            members: Mutex::default(),
            random,
            amiss: Arc::default(),
            tasks,
            stop,
        });
        let (kept, stop) = (Arc::clone(&cluster), cluster.stop.clone());
        cluster.tasks.spawn(async move {
            stop.run_until_cancelled(kept.keep_up(&trying)).await;
            kept.members().clear();
        });
        (cluster, tried)
    }

    /// Asks the server that owns `key`, and waits up to `within`.
    pub(super) async fn ask(&self, key: &str, ask: Ask<'_>, within: Duration) -> Result<Value, Failure> {
        let ends = Instant::now() + within;
        let mut owner = self.owner(slot(key)).ok_or(Failure::Down)?;
        let mut asking = false;
        for _ in 0..=REDIRECTIONS_MAX {
            let left = ends.saturating_duration_since(Instant::now());
            match owner.node.ask(ask, asking, left).await {
                Ok(value) => return Ok(value),
                Err(Setback::Failed(failure)) => return Err(failure),
                Err(Setback::NoScript) => return Err(Failure::Refused),
                Err(Setback::Elsewhere(redirect)) => {
                    owner = self.follow(&owner, &redirect).ok_or(Failure::Refused)?;
                    asking = !redirect.for_good;
                }
            }
        }
        Err(Failure::Refused)
    }

    /// Whether any server is up.
    pub(super) fn is_up(&self) -> bool {
        self.map.load().owners.iter().any(|owner| owner.node.is_up())
    }

    /// How many of the servers that own slots are not asked.
    pub(super) fn servers_away(&self) -> usize {
        self.map.load().owners.iter().filter(|owner| !owner.node.is_up()).count()
    }

    /// The servers that own slots, and what they are.
    pub(super) fn servers(&self) -> Vec<(String, State)> {
        let map = self.map.load();
        map.owners.iter().map(|owner| (owner.node.name.clone(), owner.node.state())).collect()
    }

    fn owner(&self, slot: u16) -> Option<Arc<Owner>> {
        self.map.load().owner(slot).cloned()
    }

    /// The server that `owner` sends a call to. A slot that has moved is there for who comes next, too.
    fn follow(&self, owner: &Owner, redirect: &Redirect) -> Option<Arc<Owner>> {
        let place = owner.place.told(&redirect.to)?;
        let next = self.member(&place)?;
        if redirect.for_good && redirect.slot < SLOTS {
            self.map.rcu(|map| {
                let mut map = Map::clone(map);
                map.give(redirect.slot, redirect.slot, &next);
                map
            });
            self.amiss.notify_one();
        }
        Some(next)
    }

    /// The server at `place`, looked after from now on. `None` if that would be too many.
    fn member(&self, place: &Place) -> Option<Arc<Owner>> {
        let mut members = self.members();
        if let Some(member) = members.get_mut(place) {
            member.idle = None;
            return Some(Arc::clone(&member.owner));
        }
        if members.len() >= MEMBERS_MAX || self.stop.is_cancelled() {
            return None;
        }
        let member = self.look_after(place.clone());
        let owner = Arc::clone(&member.owner);
        members.insert(place.clone(), member);
        Some(owner)
    }

    fn look_after(&self, place: Place) -> Member {
        let settings = &self.door.settings;
        // One server that hangs must leave others room to be written to.
        let writes = settings.max_writes.div_ceil(2);
        let node = Node::new(place.to_string(), settings.read_timeout, writes, self.counts.clone());
        let node = Arc::new(node);
        let (trying, tried) = watch::channel(false);
        let supervisor = Supervisor {
            door: Arc::clone(&self.door),
            node: Arc::clone(&node),
            whereabouts: Whereabouts::Fixed(place.clone()),
            tried: trying,
            amiss: Arc::clone(&self.amiss),
            tasks: self.tasks.clone(),
        };
        let stop = self.stop.child_token();
        let random = StdRng::seed_from_u64(self.random().random());
        self.tasks.spawn(supervisor.run(random, stop.clone()));
        let owner = Arc::new(Owner { place, node });
        Member { owner, tried, idle: None, _stop: stop.drop_guard() }
    }

    /// Learns the map again and again.
    async fn keep_up(&self, trying: &watch::Sender<bool>) {
        let mut told = false;
        loop {
            match self.learn().await {
                Ok(ranges) => {
                    self.adopt(&ranges);
                    told = false;
                }
                Err(error) if told => tracing::debug!(%error, "shared tier: the cluster stays unknown"),
                Err(error) => {
                    tracing::warn!(%error, "shared tier: which server has which slots cannot be learnt");
                    told = true;
                }
            }
            if !*trying.borrow() {
                self.members_tried().await;
                trying.send_replace(true);
            }
            // Whoever finds it wrong meanwhile does not make it be asked for more often.
            sleep(REST).await;
            let _ = timeout(LEARNT_AGAIN_AFTER, self.amiss.notified()).await;
        }
    }

    async fn members_tried(&self) {
        let all: Vec<_> = self.members().values().map(|member| member.tried.clone()).collect();
        for mut tried in all {
            // The other end is dropped only with the supervisor, and then there is nothing to wait for.
            let _ = tried.wait_for(|tried| *tried).await;
        }
    }

    /// Who owns what, from the first server that sees the cluster whole; else from the first that sees anything.
    async fn learn(&self) -> Result<Vec<Range>, Unreachable> {
        let mut partial = None;
        let mut why = Unreachable::Unknown("no server of the cluster is up".to_owned());
        for owner in self.up_in_some_order() {
            match self.learn_from(&owner).await {
                Some((ranges, true)) => return Ok(ranges),
                Some((ranges, false)) => partial = partial.or(Some(ranges)),
                None => {}
            }
        }
        for seed in &self.seeds {
            if partial.is_some() {
                break;
            }
            let within = self.door.settings.connect_timeout;
            let asked = timeout(within, self.learn_at(seed)).await;
            match asked.unwrap_or(Err(Unreachable::Timeout(within))) {
                Ok((ranges, true)) => return Ok(ranges),
                Ok((ranges, false)) => partial = Some(ranges),
                Err(error) => why = Unreachable::Unknown(format!("{seed}: {error}")),
            }
        }
        partial.ok_or(why)
    }

    fn up_in_some_order(&self) -> Vec<Arc<Owner>> {
        let mut all: Vec<_> = self.members().values().map(|member| Arc::clone(&member.owner)).collect();
        all.retain(|owner| owner.node.is_up());
        all.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        let first = self.random().random_range(0..=all.len());
        all.rotate_left(first);
        all
    }

    /// Who owns what, and whether the cluster is whole, as a server sees it that is looked after.
    async fn learn_from(&self, owner: &Owner) -> Option<(Vec<Range>, bool)> {
        let (mut slots, mut info) = (redis::cmd("CLUSTER"), redis::cmd("CLUSTER"));
        slots.arg("SLOTS");
        info.arg("INFO");
        let within = self.door.settings.read_timeout;
        let slots = owner.node.ask(Ask::Short(&slots), false, within).await.ok()?;
        let info = owner.node.ask(Ask::Short(&info), false, within).await.ok()?;
        Some((ranges(slots, &owner.place, MEMBERS_MAX)?, is_whole(info)))
    }

    /// The same from a server that nobody looks after, on a connection for this alone.
    async fn learn_at(&self, seed: &Place) -> Result<(Vec<Range>, bool), Unreachable> {
        let mut error = Unreachable::from(std::io::Error::from(std::io::ErrorKind::NotFound));
        for way in self.door.ways(seed).await? {
            let opened = self.door.open(&way, &self.door.settings.login, 0).await;
            let mut opened = match opened {
                Ok(opened) => opened,
                Err(refused) => {
                    error = refused;
                    continue;
                }
            };
            let mut both = Pipeline::new();
            both.cmd("CLUSTER").arg("SLOTS").cmd("CLUSTER").arg("INFO");
            let answers = tokio::select! {
                biased;
                answers = opened.connection.send_packed_commands(&both, 0, 2) => answers,
                () = opened.driver => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
            };
            let mut answers = answers.map_err(Unreachable::Login)?.into_iter();
            let (slots, info) = (answers.next().unwrap_or(Value::Nil), answers.next().unwrap_or(Value::Nil));
            if let Value::ServerError(error) = slots {
                return Err(Unreachable::Unknown(error.to_string()));
            }
            let ranges = ranges(slots, seed, MEMBERS_MAX);
            let ranges = ranges.ok_or_else(|| Unreachable::Unknown("it tells no slots".to_owned()))?;
            return Ok((ranges, is_whole(info)));
        }
        Err(error)
    }

    /// Makes this the map. Who owned nothing for a while is looked after no longer.
    fn adopt(&self, ranges: &[Range]) {
        let mut map = Map::default();
        for range in ranges {
            if let Some(owner) = self.member(&range.primary) {
                map.give(range.first, range.last, &owner);
            }
        }
        let mut members = self.members();
        members.retain(|place, member| {
            if map.owners.iter().any(|owner| owner.place == *place) {
                return true;
            }
            // A slot may be on its way to it.
            member.idle.get_or_insert_with(Instant::now).elapsed() < IDLE_MAX
        });
        self.map.store(Arc::new(map));
    }

    fn members(&self) -> MutexGuard<'_, HashMap<Place, Member>> {
        // Whole between any two statements, so a panic elsewhere cannot have left it half changed.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn random(&self) -> MutexGuard<'_, StdRng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("servers", &self.servers()).finish_non_exhaustive()
    }
}

fn is_whole(info: Value) -> bool {
    redis::from_redis_value::<String>(info).is_ok_and(|info| info.contains("cluster_state:ok"))
}

/// How often one call follows where it is sent.
const REDIRECTIONS_MAX: usize = 3;
/// The most servers that are looked after.
const MEMBERS_MAX: usize = 1024;
/// The least time between two times that the map is asked for.
const REST: Duration = Duration::from_millis(100);
/// The most, while nothing seems wrong.
const LEARNT_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long a server is looked after that owns nothing.
const IDLE_MAX: Duration = Duration::from_secs(60);
