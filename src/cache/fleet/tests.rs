//! Gateways that share one tier, in simulated time.

mod epochs;

use super::*;
use crate::cache::Cache;
use crate::cache::local::Local;
use crate::cache::shared::{Counts, Memory, State as Tier};
use crate::entry::{Ending, Entry, Slot, Tags};
use crate::key;
use crate::log::captured::Captured;
use crate::mark::{Cover, Covers, Kind, Seal, Standing};
use crate::rule::Tiers;
use crate::seed::Seed;
use crate::wire::Protocol;
use bytes::Bytes;
use tokio::time::{advance, sleep};
use tokio_util::task::AbortOnDropHandle;

const KEY: &[u8] = b"key";
const LONG: Duration = Duration::from_secs(3_600);
const HALF: Duration = Duration::from_millis(500);

struct World {
    clock: Clock,
    store: Memory,
}

/// A gateway that lives.
struct Gateway {
    cache: Arc<Cache>,
    clock: Clock,
    life: AbortOnDropHandle<()>,
}

impl World {
    fn new() -> Self {
        let clock = Clock::starting_at(Millis(1_000_000));
        let store = Memory::new(clock.clone(), Duration::from_millis(50), Counts::default());
        Self { clock, store }
    }

    /// With two gateways, which have heard of each other.
    async fn of_two() -> (Self, [Gateway; 2]) {
        let world = Self::new();
        let gateways = [1, 2].map(|number| world.gateway(number));
        sleep(HALF).await;
        (world, gateways)
    }

    fn cache(&self, number: u64) -> Cache {
        let local = Local::new(1 << 20, Seed::new(number));
        let cache = Cache::new(local, Some(Arc::new(self.store.clone())), LONG);
        cache.in_fleet(self.clock.clone(), number, Duration::from_secs(1))
    }

    fn gateway(&self, number: u64) -> Gateway {
        let cache = Arc::new(self.cache(number));
        let life = Self::life(&cache);
        Gateway { cache, clock: self.clock.clone(), life }
    }

    fn life(cache: &Arc<Cache>) -> AbortOnDropHandle<()> {
        let cache = Arc::clone(cache);
        AbortOnDropHandle::new(tokio::spawn(async move { cache.attend().await }))
    }
}

fn user() -> [Cover; 1] {
    [Cover::tag(b"user:5")]
}

impl Gateway {
    fn marks(&self) -> &Marks {
        self.cache.marks()
    }

    fn makes(&self, kind: Kind) -> Option<Ticket> {
        let mark = Mark { covers: user().into(), kind, settle: Duration::ZERO };
        self.cache.mark(mark, self.clock.now())
    }

    /// It neither tells nor hears any more.
    fn falls_silent(&self) {
        self.life.abort();
    }

    /// Learns a reply about the user from a backend now.
    fn learns(&self) {
        let (tick, version) = (self.marks().latest(), self.marks().applied());
        let entry = Entry::new(self.clock.now(), Ending::Result, Protocol::Binary, Bytes::from_static(b"5"));
        let tags = Tags { made_by: 1, covers: user().into() };
        let entry = Entry { tags, version, seal: Seal::new(tick), ..entry };
        self.cache.put(Tiers::Both, KEY, &Arc::new(entry), LONG, None);
    }

    fn standing(&self, entry: &Entry) -> (Standing, bool) {
        let place = key::place(KEY);
        let covers = Covers { place: &place, tags: &entry.tags.covers, key: KEY };
        let vouched = self.marks().vouch(entry.version, self.clock.now());
        (self.marks().standing(&entry.seal, covers), vouched)
    }

    /// What is left of what it holds, and whether it is sure of that.
    fn near(&self) -> Option<(Standing, bool)> {
        self.cache.near(Tiers::Both, KEY).map(|entry| self.standing(&entry))
    }

    /// The same of what the gateways share.
    async fn far(&self) -> Option<(Standing, bool)> {
        let entry = self.cache.far(Tiers::Shared, KEY).await;
        entry.map(|entry| self.standing(&entry))
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_on_one_gateway_holds_on_all_within_a_tenth_of_a_second() {
    let (_, [one, other]) = World::of_two().await;
    other.learns();
    sleep(HALF).await;
    assert_eq!(
        (other.near(), one.far().await),
        (Some((Standing::Clear, true)), Some((Standing::Clear, true)))
    );
    one.makes(Kind::Soft);
    sleep(Duration::from_millis(100)).await;
    assert_eq!((other.near(), one.far().await), (Some((Standing::Soft, true)), Some((Standing::Soft, true))));
    one.makes(Kind::Hard);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(
        (other.near(), one.far().await, other.far().await),
        (Some((Standing::Hard, true)), None, None)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_learnt_after_a_mark_answers_everywhere() {
    let (_, [one, other]) = World::of_two().await;
    one.makes(Kind::Hard);
    sleep(HALF).await;
    one.learns();
    sleep(HALF).await;
    assert_eq!(
        (one.near(), other.far().await),
        (Some((Standing::Clear, true)), Some((Standing::Clear, true)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_known_to_the_fleet_when_all_have_heard_it() {
    let (_, [one, other]) = World::of_two().await;
    other.learns();
    sleep(HALF).await;
    let asked = Instant::now();
    let reach = one.cache.reaches(one.makes(Kind::Hard), Reach::Fleet).await;
    assert_eq!((reach, other.near()), (Reach::Fleet, Some((Standing::Hard, true))));
    assert!(asked.elapsed() <= Duration::from_millis(120), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_hears_nothing_loses_its_lease_before_the_others_go_on() {
    let (_, [one, other]) = World::of_two().await;
    other.learns();
    sleep(HALF).await;
    let Gateway { cache, clock, life } = other;
    drop(life);
    let reach = one.cache.reaches(one.makes(Kind::Hard), Reach::Fleet).await;
    assert_eq!(reach, Reach::Fleet);
    assert!(!cache.marks().vouch(cache.marks().applied(), clock.now()));
}

#[tokio::test(start_paused = true)]
async fn a_mark_waits_while_the_tier_is_away_and_holds_here_at_once() {
    let (world, [one, other]) = World::of_two().await;
    [&one, &other].into_iter().for_each(Gateway::learns);
    sleep(HALF).await;
    world.store.set(Tier::Down);
    let ticket = one.makes(Kind::Hard);
    assert_eq!(one.near(), Some((Standing::Hard, true)));
    assert_eq!(one.cache.reaches(ticket, Reach::Fleet).await, Reach::Gateway);
    assert_eq!((one.cache.untold(), other.near()), (1, Some((Standing::Clear, false))));
    world.store.empty();
    world.store.set(Tier::Up(Duration::ZERO));
    assert_eq!(one.cache.reaches(ticket, Reach::Fleet).await, Reach::Fleet);
    assert_eq!((one.cache.untold(), other.near()), (0, Some((Standing::Hard, false))));
}

#[tokio::test(start_paused = true)]
async fn who_starts_late_knows_all_marks() {
    let world = World::new();
    let one = world.gateway(1);
    sleep(HALF).await;
    one.learns();
    for _ in 0..3_000 {
        one.makes(Kind::Soft);
    }
    sleep(HALF).await;
    let late = world.gateway(2);
    sleep(HALF).await;
    assert_eq!(late.far().await, Some((Standing::Soft, true)));
    assert_eq!(late.marks().applied(), one.marks().applied());
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_log_is_looked_up() {
    use crate::cache::shared::feed::KEPT;
    let world = World::new();
    let one = world.gateway(1);
    sleep(HALF).await;
    one.learns();
    one.makes(Kind::Soft);
    sleep(HALF).await;
    for number in 0..KEPT as u128 {
        let mark = Mark { covers: [Cover(number)].into(), kind: Kind::Hard, settle: Duration::ZERO };
        one.cache.mark(mark, one.clock.now());
        if number % 10_000 == 0 {
            sleep(HALF).await;
        }
    }
    sleep(HALF).await;
    let late = world.gateway(2);
    sleep(HALF).await;
    assert_eq!(late.far().await.map(|(standing, _)| standing), Some(Standing::Soft));
    world.store.set(Tier::Down);
    assert_eq!(late.far().await, None);
}

/// A replica takes over that was not told of the last marks, and others lie in their places soon.
#[tokio::test(start_paused = true)]
async fn who_knows_marks_that_were_lost_says_so() {
    let (world, [one, other]) = World::of_two().await;
    one.makes(Kind::Soft);
    sleep(HALF).await;
    [&one, &other].into_iter().for_each(Gateway::learns);
    sleep(HALF).await;
    one.makes(Kind::Soft);
    sleep(HALF).await;
    let before = one.marks().applied().epoch();
    world.store.lose_marks(1);
    other.makes(Kind::Soft);
    advance(Duration::from_millis(1)).await;
    sleep(HALF).await;
    assert_eq!(one.cache.reaches(one.makes(Kind::Soft), Reach::Fleet).await, Reach::Fleet);
    let epochs = [&one, &other].map(|gateway| gateway.marks().applied().epoch());
    assert!(epochs[0] == epochs[1] && epochs[0] > before, "{before}, then {epochs:?}");
    assert_eq!(other.near().map(|(_, vouched)| vouched), Some(false), "of what it learnt before");
    other.learns();
    sleep(HALF).await;
    assert_eq!(other.near(), Some((Standing::Clear, true)));
}

#[tokio::test(start_paused = true)]
async fn an_emptied_tier_is_a_new_epoch() {
    let (world, [one, other]) = World::of_two().await;
    one.makes(Kind::Hard);
    sleep(HALF).await;
    one.learns();
    world.store.empty();
    sleep(HALF).await;
    assert_eq!(one.near(), Some((Standing::Clear, false)));
    let ticket = other.makes(Kind::Hard);
    assert_eq!(other.cache.reaches(ticket, Reach::Fleet).await, Reach::Fleet);
    assert_eq!(one.near(), Some((Standing::Hard, false)));
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_told_covers_also_what_is_older_than_the_log() {
    let (world, [one, other]) = World::of_two().await;
    other.falls_silent();
    world.store.empty();
    sleep(HALF).await;
    other.learns();
    one.falls_silent();
    sleep(HALF).await;
    assert_eq!(one.far().await, Some((Standing::Clear, false)));
    one.makes(Kind::Hard);
    assert_eq!(one.far().await, None);
}

/// Nothing there tells any more who else holds a lease.
#[tokio::test(start_paused = true)]
async fn whom_an_emptied_tier_has_forgotten_is_waited_for() {
    let (world, [one, other]) = World::of_two().await;
    other.learns();
    let Gateway { cache, clock, life } = other;
    drop(life);
    world.store.empty();
    let ticket = one.makes(Kind::Hard);
    assert_eq!(one.cache.reaches(ticket, Reach::Fleet).await, Reach::Fleet);
    assert!(!cache.marks().vouch(cache.marks().applied(), clock.now()));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_left_is_held_against_what_was_marked_meanwhile() {
    let world = World::new();
    let before = world.gateway(1);
    sleep(HALF).await;
    before.learns();
    let left = before.cache.near(Tiers::Local, KEY).unwrap();
    drop(before);
    let other = world.gateway(2);
    sleep(HALF).await;
    for (kind, standing) in [(Kind::Soft, Some(Standing::Soft)), (Kind::Hard, None)] {
        other.makes(kind);
        sleep(HALF).await;
        let after = world.gateway(3);
        after.cache.local().put(KEY, Slot::Entry(Arc::new(left.restored())));
        sleep(HALF).await;
        assert!(after.marks().hears(after.clock.now()), "it may ask");
        let vetted = after.cache.vetted(Tiers::Local, KEY).await.unwrap();
        let known = (!vetted.seal.is_doubtful()).then(|| after.standing(&vetted).0);
        assert_eq!(known, standing, "{kind:?}");
        // One that cannot ask has what it has.
        world.store.set(Tier::Down);
        sleep(HALF * 4).await;
        assert!(!after.marks().hears(after.clock.now()));
        world.store.set(Tier::Up(Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_was_lost_before_it_was_heard_is_not_known_to_the_fleet_and_is_told_again() {
    let world = World::new();
    let caches = [1, 2].map(|number| world.cache(number));
    let [one, other] = caches.each_ref();
    let (ones, others) = (one.fleet.as_ref().unwrap(), other.fleet.as_ref().unwrap());
    let mark =
        |cover: &[u8]| Mark { covers: [Cover::tag(cover)].into(), kind: Kind::Hard, settle: Duration::ZERO };
    for (fleet, cache) in [(ones, one), (others, other), (ones, one), (others, other)] {
        fleet.exchange(cache.marks()).await.unwrap();
    }
    let ticket = one.mark(mark(b"lost"), world.clock.now()).unwrap();
    ones.tell(world.store.feed()).await.unwrap();
    world.store.lose_marks(1);
    other.mark(mark(b"in its place"), world.clock.now());
    others.exchange(other.marks()).await.unwrap();
    others.exchange(other.marks()).await.unwrap();
    advance(Duration::from_secs(2)).await;
    others.exchange(other.marks()).await.unwrap();
    ones.exchange(one.marks()).await.unwrap();
    others.exchange(other.marks()).await.unwrap();
    ones.exchange(one.marks()).await.unwrap();
    assert_ne!(ones.reach(ticket), Reach::Fleet, "the other has not heard it");
    // It hears it, and says so the next time.
    others.exchange(other.marks()).await.unwrap();
    others.exchange(other.marks()).await.unwrap();
    ones.exchange(one.marks()).await.unwrap();
    assert_eq!(ones.reach(ticket), Reach::Fleet);
    assert_eq!((other.marks().count(), one.untold()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waits_no_longer_is_waited_for_no_longer() {
    let (_, [one, _other]) = World::of_two().await;
    let waits = one.cache.reaches(one.makes(Kind::Hard), Reach::Fleet);
    assert!(timeout(Duration::from_millis(1), waits).await.is_err(), "its client has gone");
    sleep(LEASE).await;
    let fleet = one.cache.fleet.as_ref().unwrap();
    let before = fleet.state().listened;
    sleep(INTERVAL * 10).await;
    assert!(fleet.state().listened - before <= 11);
}

#[tokio::test(start_paused = true)]
async fn the_log_tells_when_the_lease_is_lost_and_when_it_is_held_again() {
    let captured = Captured::by("info");
    let (world, _gateways) = World::of_two().await;
    assert_eq!(captured.with("coherence lease is held: ").len(), 2);
    world.store.set(Tier::Down);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(captured.with("coherence lease is lost").len(), 2, "once for each, however long it lasts");
    world.store.set(Tier::Up(Duration::ZERO));
    sleep(HALF).await;
    let again = captured.with("coherence lease is held again");
    assert!(again.len() == 2 && again.iter().all(|line| line.contains("out_ms=59")), "{again:?}");
}
