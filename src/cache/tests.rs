//! What was removed stays removed, in either tier, for either gateway.

use bytes::Bytes;

use super::shared::{Counts, Memory, Read, State};
use super::*;
use crate::clock::Clock;
use crate::entry::Ending;
use crate::mark::Kind;
use crate::seed::Seed;
use crate::wire::Protocol;

const KEY: &[u8] = b"users UserService getUser 1";
const LONGEST: Duration = Duration::from_secs(60);
/// How long a call under the tests' rule may take.
const TIMEOUT: Option<Duration> = Some(Duration::from_secs(1));
/// The time when a test begins.
const NOW: u64 = 1_000_000;

/// Two gateways and what they share.
struct World {
    one: Cache,
    other: Cache,
    shared: Memory,
}

impl World {
    fn new() -> Self {
        let clock = Clock::starting_at(Millis(NOW));
        let shared = Memory::new(clock, Duration::from_millis(50), Counts::default());
        Self { one: gateway(&shared), other: gateway(&shared), shared }
    }

    /// Waits until nothing is on its way to the shared tier.
    async fn settled(&self) {
        self.one.settled().await;
        self.other.settled().await;
    }
}

fn gateway(shared: &Memory) -> Cache {
    let local = Local::new(1 << 20, Seed::new(1));
    Cache::new(local, Some(Arc::new(shared.clone())), Duration::from_secs(3_600))
}

fn of(born: u64, ending: Ending) -> Arc<Entry> {
    let body = Bytes::from(format!("born {born}"));
    Arc::new(Entry::new(Millis(NOW + born), ending, Protocol::Binary, body))
}

impl Cache {
    fn learns(&self, tiers: Tiers, born: u64) {
        self.put(tiers, KEY, &of(born, Ending::Result), LONGEST, None);
    }

    fn unlearns(&self, tiers: Tiers, born: u64) {
        self.remove(tiers, KEY, Millis(NOW + born), TIMEOUT);
    }

    /// When the entry was born that a call would find, first here and then among all.
    async fn finds(&self, tiers: Tiers) -> Option<u64> {
        let near = self.near(tiers, KEY);
        let found = match near {
            Some(entry) => Some(entry),
            None => self.far(tiers, KEY).await,
        };
        found.map(|entry| entry.born.0 - NOW)
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_call_that_lands_after_a_removal_by_another_gateway_brings_nothing_back() {
    let world = World::new();
    world.other.learns(Tiers::Both, 0);
    world.settled().await;
    world.other.unlearns(Tiers::Both, 2);
    world.settled().await;
    world.one.learns(Tiers::Both, 1);
    world.settled().await;
    for gateway in [&world.one, &world.other] {
        assert_eq!(gateway.finds(Tiers::Both).await, None);
    }
    world.one.learns(Tiers::Both, 3);
    world.settled().await;
    assert_eq!(world.other.finds(Tiers::Both).await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn an_older_call_that_lands_after_a_removal_in_its_own_gateway_brings_nothing_back() {
    for tiers in [Tiers::Local, Tiers::Shared, Tiers::Both] {
        let world = World::new();
        world.one.unlearns(tiers, 2);
        world.one.learns(tiers, 1);
        assert_eq!(world.one.finds(tiers).await, None, "{tiers:?}");
        world.settled().await;
        world.one.learns(tiers, 2);
        world.settled().await;
        assert_eq!(world.one.finds(tiers).await, None, "{tiers:?}");
        world.one.learns(tiers, 3);
        world.settled().await;
        assert_eq!(world.one.finds(tiers).await, Some(3), "{tiers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_entry_of_the_shared_tier_is_not_found_while_its_removal_is_on_its_way() {
    for tiers in [Tiers::Shared, Tiers::Both] {
        let world = World::new();
        world.other.learns(tiers, 1);
        world.settled().await;
        world.shared.set(State::Up(Duration::from_millis(40)));
        world.one.unlearns(tiers, 2);
        assert_eq!(world.one.far(tiers, KEY).await, None, "{tiers:?}");
        assert_eq!(world.one.near(tiers, KEY), None, "{tiers:?}");
        world.settled().await;
        assert_eq!(world.one.finds(tiers).await, None, "{tiers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_reaches_the_entry_that_one_tier_alone_has() {
    let world = World::new();
    world.one.learns(Tiers::Local, 1);
    world.one.unlearns(Tiers::Both, 2);
    world.settled().await;
    assert_eq!(world.one.finds(Tiers::Both).await, None);
    world.other.learns(Tiers::Both, 3);
    world.settled().await;
    world.one.unlearns(Tiers::Both, 4);
    world.settled().await;
    assert_eq!(world.one.finds(Tiers::Both).await, None);
    assert_eq!(world.shared.get(KEY).await, Some(Slot::Tombstone(Millis(NOW + 4))));
}

#[tokio::test(start_paused = true)]
async fn a_removal_reaches_what_a_rule_kept_before_its_tiers_were_changed() {
    let world = World::new();
    world.one.learns(Tiers::Both, 1);
    world.settled().await;
    world.one.unlearns(Tiers::Shared, 2);
    world.settled().await;
    assert_eq!(world.one.finds(Tiers::Both).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_of_the_shared_tier_removes_the_local_entry_that_a_flight_would_fall_back_on() {
    let world = World::new();
    world.one.learns(Tiers::Both, 1);
    world.settled().await;
    world.other.unlearns(Tiers::Both, 2);
    world.settled().await;
    assert_eq!(world.one.far(Tiers::Both, KEY).await, None);
    assert!(world.one.is_removed(KEY, Millis(NOW + 1)));
    assert_eq!(world.one.near(Tiers::Both, KEY), None);
}

#[tokio::test(start_paused = true)]
async fn a_kept_exception_is_not_replaced_by_an_older_entry() {
    let world = World::new();
    world.one.learns(Tiers::Both, 0);
    world.one.put(Tiers::Both, KEY, &of(2, Ending::Exception(1)), LONGEST, None);
    world.settled().await;
    for gateway in [&world.one, &world.other] {
        gateway.learns(Tiers::Both, 1);
        world.settled().await;
        assert_eq!(gateway.far(Tiers::Both, KEY).await, Some(of(2, Ending::Exception(1))));
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_entry_of_the_shared_tier_never_replaces_a_younger_local_one() {
    let world = World::new();
    world.other.learns(Tiers::Both, 1);
    world.settled().await;
    world.one.learns(Tiers::Local, 2);
    assert_eq!(world.one.far(Tiers::Both, KEY).await, Some(of(2, Ending::Result)));
    assert_eq!(world.one.finds(Tiers::Both).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn the_shared_tier_keeps_a_tombstone_for_as_long_as_an_older_call_may_take() {
    let world = World::new();
    world.one.unlearns(Tiers::Both, 1);
    world.settled().await;
    tokio::time::advance(TIMEOUT.unwrap()).await;
    world.other.learns(Tiers::Both, 0);
    world.settled().await;
    assert_eq!(world.other.finds(Tiers::Both).await, None);
    tokio::time::advance(LATE).await;
    assert_eq!(world.shared.get(KEY).await, None);
    world.one.remove(Tiers::Both, KEY, Millis(NOW + 1), None);
    world.settled().await;
    tokio::time::advance(CALL_LONGEST).await;
    assert_eq!(world.shared.get(KEY).await, Some(Slot::Tombstone(Millis(NOW + 1))));
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_keeps_out_of_the_shared_tier_writes_no_tombstone_there() {
    let world = World::new();
    world.one.unlearns(Tiers::Local, 1);
    world.settled().await;
    assert_eq!(world.shared.get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_for_the_local_tier_answers_from_the_shared_one_each_time() {
    let world = World::new();
    let body = Bytes::from(vec![0; 2 << 20]);
    let large = Arc::new(Entry { body, ..(*of(2, Ending::Result)).clone() });
    world.one.learns(Tiers::Both, 1);
    world.one.put(Tiers::Both, KEY, &large, LONGEST, None);
    world.settled().await;
    assert_eq!(world.one.near(Tiers::Both, KEY), None);
    for _ in 0..2 {
        assert_eq!(world.one.finds(Tiers::Both).await, Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_settled_has_no_write_under_way() {
    let counts = Counts::default();
    let clock = Clock::starting_at(Millis(NOW));
    let shared = Memory::new(clock, Duration::from_millis(50), counts.clone());
    let one = gateway(&shared);
    shared.set(State::Up(Duration::from_millis(20)));
    one.learns(Tiers::Both, 1);
    one.learns(Tiers::Both, 2);
    assert_eq!(one.writes_under_way(), 2);
    one.settled().await;
    assert_eq!((counts.writes(Write::Written), one.writes_under_way()), (2, 0));
    assert_eq!(counts.reads(Read::Hit), 0);
}

/// Lets a gateway do for a while what it does by itself.
async fn attends(gateway: &Cache, time: Duration) {
    let _never_ends = tokio::time::timeout(time, gateway.attend()).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_learnt_while_the_shared_tier_was_away_is_there_soon_after_it_is_back() {
    let world = World::new();
    world.shared.set(State::Down);
    world.one.learns(Tiers::Both, 1);
    world.one.learns(Tiers::Both, 3);
    world.settled().await;
    assert_eq!(world.one.backlog(), 1);
    attends(&world.one, Duration::from_secs(10)).await;
    world.shared.set(State::Up(Duration::ZERO));
    attends(&world.one, Duration::from_millis(20)).await;
    world.settled().await;
    assert_eq!((world.other.finds(Tiers::Both).await, world.one.backlog()), (Some(3), 0));
}

#[tokio::test(start_paused = true)]
async fn what_has_waited_replaces_nothing_younger_and_a_removal_that_has_waited_removes() {
    for (removed, found) in [(false, Some(5)), (true, None)] {
        let world = World::new();
        world.other.learns(Tiers::Shared, 5);
        world.settled().await;
        world.shared.set(State::Down);
        match removed {
            false => world.one.learns(Tiers::Shared, 4),
            true => world.one.unlearns(Tiers::Shared, 6),
        }
        world.settled().await;
        world.shared.set(State::Up(Duration::ZERO));
        attends(&world.one, Duration::from_millis(20)).await;
        world.settled().await;
        assert_eq!((world.other.finds(Tiers::Shared).await, world.one.backlog()), (found, 0));
    }
}

/// Who reads what lies there must know first what covers it.
#[tokio::test(start_paused = true)]
async fn nothing_that_has_waited_goes_before_the_marks_that_have() {
    let clock = Clock::starting_at(Millis(NOW));
    let shared = Memory::new(clock.clone(), Duration::from_millis(50), Counts::default());
    let one = gateway(&shared).in_fleet(clock, 1, Duration::ZERO);
    attends(&one, Duration::from_millis(200)).await;
    shared.set(State::Down);
    attends(&one, Duration::from_millis(200)).await;
    one.learns(Tiers::Both, 1);
    let _ticket = one.mark(
        Mark { covers: [Cover::all()].into(), kind: Kind::Hard, settle: Duration::ZERO },
        Millis(NOW + 2),
    );
    one.settled().await;
    assert_eq!((one.untold(), one.backlog()), (1, 1));
    shared.set(State::Up(Duration::ZERO));
    // Without hearing or telling anything, nothing else is written either.
    let _never_ends =
        tokio::time::timeout(Duration::from_secs(1), one.catch_up(one.shared_by(Tiers::Both).unwrap())).await;
    assert_eq!((one.untold(), one.backlog()), (1, 1));
    attends(&one, Duration::from_secs(2)).await;
    assert_eq!((one.untold(), one.backlog()), (0, 0));
}
