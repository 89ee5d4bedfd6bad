//! What is suspected, for how long it is sent nowhere, and what clears it.

use super::*;
use crate::backend::Methods;

const FIRST: Address = endpoint(1);
const SECOND: Address = endpoint(2);

const fn endpoint(n: u8) -> Address {
    let host = std::net::Ipv4Addr::new(10, 0, 0, n);
    Address::Network(std::net::SocketAddr::new(std::net::IpAddr::V4(host), 9090))
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A quarantine, and a time that begins at 0 ms.
struct Scene {
    quarantine: Quarantine,
    method: Arc<Method>,
    began: Instant,
}

impl Scene {
    fn new() -> Self {
        let method = Arc::clone(Methods::new(Seed::new(1)).named(&"S.get".into()).of(b"get"));
        Self { quarantine: Quarantine::new(Seed::new(1)), method, began: Instant::now() }
    }

    fn at(&self, time: u64) -> Instant {
        self.began + ms(time)
    }

    /// A call of `key` that was sent at one time and ended at another.
    fn breaks(&self, key: &[u8], endpoint: &Address, (sent, ended): (u64, u64)) {
        let broke = Broke { key, method: &self.method, endpoint, sent: self.at(sent) };
        self.quarantine.broke(broke, self.at(ended));
    }

    /// How many keys are sent nowhere from then on.
    fn dies(&self, endpoint: &Address, time: u64) -> u64 {
        self.quarantine.died("users", endpoint, self.at(time))
    }

    fn lives(&self, endpoint: &Address, asked: u64) {
        self.quarantine.lives(endpoint, self.at(asked));
    }

    /// For how many milliseconds a key is sent nowhere.
    fn held(&self, key: &[u8], time: u64) -> u64 {
        self.quarantine.admit(key, self.at(time)).err().map_or(0, |left| left.as_millis() as u64)
    }

    /// A call of `key` kills two endpoints, of which the second is known to be dead after 100 ms.
    fn kills_two(&self, key: &[u8]) {
        self.breaks(key, &FIRST, (0, 10));
        assert_eq!(self.dies(&FIRST, 20), 0);
        self.breaks(key, &SECOND, (50, 60));
        assert_eq!(self.dies(&SECOND, 100), 1);
    }
}

#[test]
fn what_kills_two_endpoints_is_sent_nowhere_for_ten_seconds_and_twice_as_long_each_time_until_it_is_answered()
{
    let scene = Scene::new();
    scene.kills_two(b"k");
    assert_eq!((scene.held(b"k", 100), scene.held(b"k", 10_099), scene.held(b"other", 100)), (10_000, 1, 0));
    assert_eq!((scene.quarantine.held(scene.at(10_099)), scene.quarantine.held(scene.at(10_100))), (1, 0));
    let mut now = 10_100;
    for expected in [20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000] {
        assert_eq!(scene.held(b"k", now), 0, "one finds out");
        assert_eq!(scene.held(b"k", now), 10_000, "and the others wait for it");
        scene.breaks(b"k", &FIRST, (now, now + 10));
        assert!(scene.quarantine.has_enough(b"k", scene.at(now + 10)), "one endpoint more is enough");
        scene.dies(&FIRST, now + 20);
        assert_eq!(scene.held(b"k", now + 20), expected);
        now += 20 + expected;
    }
    assert_eq!(scene.held(b"k", now), 0);
    scene.quarantine.answered(b"k", scene.at(now));
    assert_eq!(scene.held(b"k", now), 0);
    assert!(!scene.quarantine.any.load(Ordering::Relaxed));
}

#[test]
fn an_endpoint_that_answers_after_it_broke_off_did_not_die_of_it() {
    let scene = Scene::new();
    scene.breaks(b"k", &FIRST, (0, 10));
    scene.breaks(b"k", &SECOND, (20, 30));
    assert_eq!(scene.held(b"k", 31), 1_000, "until that is known");
    scene.lives(&FIRST, 9);
    assert_eq!(scene.held(b"k", 32), 1_000, "what was asked before says nothing");
    scene.lives(&FIRST, 10);
    scene.dies(&FIRST, 40);
    scene.dies(&SECOND, 40);
    assert_eq!(scene.held(b"k", 41), 0);
    scene.lives(&SECOND, 50);
    assert!(scene.quarantine.any.load(Ordering::Relaxed), "one has died of it");
}

#[test]
fn who_refuses_only_later_did_not_die_of_it() {
    let scene = Scene::new();
    scene.breaks(b"k", &FIRST, (0, 10));
    scene.breaks(b"k", &SECOND, (20, 30));
    assert_eq!(scene.held(b"k", 1_009), 1_000);
    assert_eq!(scene.held(b"k", 1_010), 0);
    scene.dies(&FIRST, 1_030);
    scene.dies(&SECOND, 1_030);
    assert_eq!(scene.held(b"k", 1_030), 0);
}

#[test]
fn what_was_under_way_when_the_other_died_is_not_held_against_a_call() {
    let scene = Scene::new();
    scene.breaks(b"k", &FIRST, (0, 10));
    scene.breaks(b"k", &SECOND, (9, 11));
    scene.dies(&FIRST, 20);
    scene.dies(&SECOND, 20);
    assert_eq!(scene.held(b"k", 21), 0);
}

#[test]
fn one_endpoint_that_dies_twice_counts_as_two_and_what_is_answered_between_as_none() {
    let scene = Scene::new();
    scene.breaks(b"k", &FIRST, (0, 10));
    scene.dies(&FIRST, 20);
    scene.dies(&FIRST, 30);
    assert_eq!(scene.held(b"k", 40), 0, "it died once");
    scene.breaks(b"k", &FIRST, (5_000, 5_010));
    scene.dies(&FIRST, 5_020);
    assert_eq!(scene.held(b"k", 5_020), 10_000);

    scene.breaks(b"l", &FIRST, (0, 10));
    scene.dies(&FIRST, 20);
    scene.quarantine.answered(b"l", scene.at(30));
    scene.breaks(b"l", &FIRST, (5_000, 5_010));
    scene.dies(&FIRST, 5_020);
    assert_eq!(scene.held(b"l", 5_020), 0);
}

#[test]
fn suspects_are_a_bounded_number_and_forgotten_after_an_hour() {
    let scene = Scene::new();
    for n in 0..SUSPECTS_MOST as u64 + 10 {
        scene.breaks(&n.to_be_bytes(), &FIRST, (n, n));
    }
    let count = || scene.quarantine.suspects.lock().unwrap().len();
    assert_eq!(count(), SUSPECTS_MOST);
    let oldest = scene.quarantine.number(&10_u64.to_be_bytes());
    assert!(scene.quarantine.suspects.lock().unwrap().contains_key(&oldest), "older ones went first");
    for n in 0..100 {
        scene.breaks(b"k", &FIRST, (5_000 + n, 5_000 + n));
    }
    let number = scene.quarantine.number(b"k");
    assert!(scene.quarantine.suspects.lock().unwrap()[&number].cuts.len() <= CUTS_MOST);
    scene.breaks(b"last", &FIRST, (3_700_000, 3_700_000));
    assert_eq!(count(), 1);
}
