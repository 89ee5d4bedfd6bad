//! How many retries there are, when, and in which place.

use super::world::*;
use crate::wire::message::Kind;
use bytes::Bytes;
use tokio::task::JoinHandle;

/// A backend whose endpoints answer garbage, all of them, and are never ejected for it.
fn failing(endpoints: usize, change: impl FnOnce(&mut Settings)) -> (World, Arc<Backend>) {
    let mut world = World::of(endpoints);
    world.settings.ejection_failures = u32::MAX;
    world.settings.max_connections = 1_000;
    change(&mut world.settings);
    let backend = world.start();
    world.all(Act::AnswerHalf);
    (world, backend)
}

fn spawn(
    backend: &Arc<Backend>,
    name: &str,
    terms: Terms,
    timeout: Option<Duration>,
) -> JoinHandle<Result<Answer, Fault>> {
    let call = Call { name: Bytes::copy_from_slice(name.as_bytes()), kind: Kind::Call, ..call() };
    let backend = Arc::clone(backend);
    tokio::spawn(async move { backend.answer(&call, &terms, timeout).await })
}

async fn ask(backend: &Arc<Backend>, terms: Terms, timeout: Option<Duration>) -> Result<Answer, Fault> {
    spawn(backend, "getUser", terms, timeout).await.unwrap()
}

fn refused(world: &World, by: &str) -> u64 {
    world.counted(&format!(r#"larder_backend_retries_refused_total{{backend="users",by="{by}"}}"#))
}

/// However many tries a call might have: an outage of everything is met with a fifth more tries than calls, what was saved
/// up, and one a second.
#[tokio::test(start_paused = true)]
async fn a_total_failure_meets_a_fifth_more_tries_than_calls_and_the_floor() {
    for (per_second, seconds) in [(1_000, 3), (100, 10), (1, 30)] {
        let (world, backend) = failing(8, |settings| settings.retries = 8);
        // Good times save up no more than a burst.
        world.all(Act::Answer);
        for _ in 0..200 {
            ask(&backend, idempotent(), None).await.unwrap();
        }
        world.all(Act::AnswerHalf);
        let before = world.calls();
        let mut calls = Vec::new();
        for _ in 0..per_second * seconds {
            calls.push(spawn(&backend, "getUser", idempotent(), SECOND));
            tokio::time::sleep(Duration::from_secs(1) / per_second).await;
        }
        for call in calls {
            assert!(call.await.unwrap().is_err());
        }
        let (tries, calls) = (world.calls() - before, (per_second * seconds) as usize);
        let most = calls + calls / 5 + 10 + seconds as usize + 2;
        let least = calls + (calls / 5 + seconds as usize) * 8 / 10;
        assert!((least..=most).contains(&tries), "{tries} tries of {calls} calls, {least}..={most}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_that_wait_together_have_all_been_paid_for() {
    let (world, backend) = failing(3, |_| {});
    let calls: Vec<_> = (0..500).map(|_| spawn(&backend, "getUser", idempotent(), SECOND)).collect();
    for call in calls {
        assert!(call.await.unwrap().is_err());
    }
    assert!((510..=511).contains(&world.calls()), "{}", world.calls());
    assert!(refused(&world, "budget") >= 400);
    assert!(backend.retries_left() < 1.0);
}

#[tokio::test(start_paused = true)]
async fn calls_that_may_not_be_repeated_are_never_retried_and_cost_no_budget() {
    let (world, backend) = failing(3, |_| {});
    for _ in 0..50 {
        assert!(ask(&backend, once(), SECOND).await.is_err());
    }
    assert_eq!(world.calls(), 50);
    assert!(backend.retries_left() > 9.99);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_costs_no_budget_and_waits_for_nothing() {
    let mut world = World::of(3);
    world.settings.ejection_failures = u32::MAX;
    world.settings.retries = 0;
    world.settings.retry_burst = 0;
    let backend = world.start();
    world.refuse(world.servers[0].address);
    world.refuse(world.servers[1].address);
    let began = Instant::now();
    for _ in 0..50 {
        ask(&backend, once(), SECOND).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn each_retry_waits_a_random_time_within_a_bound_that_doubles() {
    for (retries, bound) in [(1, 25), (2, 75), (5, 25 + 50 + 100 + 200 + 250)] {
        let (world, backend) = failing(8, |settings| {
            settings.retries = retries;
            settings.retry_burst = 1_000;
        });
        let mut times = Vec::new();
        for _ in 0..40 {
            let began = Instant::now();
            assert!(ask(&backend, idempotent(), None).await.is_err());
            times.push(began.elapsed());
        }
        assert_eq!(world.calls(), 40 * (1 + retries as usize));
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        let bound = Duration::from_millis(bound) + Duration::from_millis(u64::from(retries));
        assert!(*most <= bound && *most > bound / 2 && *least < bound / 2, "{least:?} {most:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_could_not_end_in_time_does_not_begin() {
    let (world, backend) = failing(3, |settings| settings.retry_burst = 1_000);
    world.all(Act::HangUp);
    let time = Some(Duration::from_millis(5));
    for _ in 0..100 {
        let began = Instant::now();
        assert!(ask(&backend, idempotent(), time).await.is_err());
        assert!(began.elapsed() <= Duration::from_millis(5));
    }
    let (late, tried) = (refused(&world, "time"), world.calls() - 100);
    assert_eq!(late + tried as u64, 100);
    assert!(
        late > 50 && tried > 5,
        "a pause of up to 25 ms is shorter than 5 ms in a fifth of cases: {tried}"
    );
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_leaves_no_time_for_an_answer_as_slow_as_usual() {
    let (world, backend) = failing(3, |_| {});
    world.all(Act::AnswerAfter(Duration::from_millis(300)));
    for _ in 0..10 {
        ask(&backend, idempotent(), None).await.unwrap();
    }
    world.all(Act::AnswerHalf);
    let before = world.calls();
    assert!(ask(&backend, idempotent(), Some(Duration::from_millis(290))).await.is_err());
    assert_eq!((world.calls() - before, refused(&world, "time")), (1, 1));
    assert!(ask(&backend, idempotent(), SECOND).await.is_err());
    assert!(world.calls() - before > 2);
}

#[tokio::test(start_paused = true)]
async fn while_most_endpoints_are_out_nothing_is_retried() {
    for (gone, tries) in [(2, 2), (3, 1)] {
        let (world, backend) = failing(5, |settings| {
            settings.ejection_failures = 1;
            settings.ejection_time = Duration::from_secs(60);
            settings.ejection_time_max = settings.ejection_time;
        });
        world.all(Act::HangUp);
        for server in world.servers.iter().take(gone) {
            world.refuse(server.address);
        }
        while backend.endpoints().iter().filter(|one| one.standing != Standing::Rotating).count() < gone {
            let _ = ask(&backend, once(), SECOND).await;
        }
        let before = world.calls();
        assert!(ask(&backend, idempotent(), SECOND).await.is_err());
        assert_eq!(world.calls() - before, tries);
        assert_eq!(refused(&world, "outage"), u64::from(tries == 1));
    }
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_by_what_they_came_after_and_to() {
    let (world, backend) = failing(2, |_| {});
    let count = |reason, result| {
        let labels = format!(r#"{{backend="users",reason="{reason}",result="{result}"}}"#);
        world.counted(&format!("larder_backend_retries_total{labels}"))
    };
    assert!(ask(&backend, idempotent(), SECOND).await.is_err());
    assert_eq!(count("garbage", "fault"), 1);
    world.servers[0].now(Act::HangUp);
    world.servers[1].now(Act::Answer);
    while world.servers[0].calls() < 2 {
        ask(&backend, idempotent(), SECOND).await.unwrap();
    }
    assert_eq!((count("closed", "answer"), count("closed", "fault")), (1, 0));
}

/// The endpoint that is left has one connection. A retry comes to its line first, and others while it waits.
#[tokio::test(start_paused = true)]
async fn in_a_line_first_tries_go_before_retries() {
    let mut world = World::of(2);
    world.settings.max_connections = 1;
    world.settings.max_waiting = 10;
    let backend = world.start();
    let [cuts, answers] = [&world.servers[0], &world.servers[1]];
    cuts.now(Act::HangUp);
    answers.now(Act::AnswerAfter(Duration::from_secs(1)));
    let mut pending = Vec::new();
    while answers.methods().is_empty() {
        pending.push(spawn(&backend, "holds", once(), None));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while cuts.methods().iter().all(|method| method != "retried") {
        pending.push(spawn(&backend, "retried", idempotent(), None));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    world.refuse(cuts.address);
    for _ in 0..3 {
        pending.push(spawn(&backend, "first", once(), None));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    for call in pending {
        let _ = call.await.unwrap();
    }
    let at = |name: &str| answers.methods().iter().rposition(|method| method == name).unwrap();
    assert!(at("retried") > at("first"), "{:?}", answers.methods());
}

/// Whatever happens to it: a server reads a call that may not be repeated once at most.
#[tokio::test(start_paused = true)]
async fn a_call_that_may_not_be_repeated_reaches_one_endpoint_once_under_all_faults() {
    const ACTS: [Act; 9] = [
        Act::Answer,
        Act::AnswerHalf,
        Act::AnswerTwice,
        Act::AnswerAhead,
        Act::Hang,
        Act::HangUp,
        Act::WrongSeqid,
        Act::Refuse,
        Act::AnswerAfter(Duration::from_millis(20)),
    ];
    let mut world = World::of(3);
    world.settings.ejection_time = Duration::from_millis(10);
    world.settings.ejection_time_max = world.settings.ejection_time;
    let backend = world.start();
    let mut pending = Vec::new();
    for n in 0..600_usize {
        for (which, server) in world.servers.iter().enumerate() {
            server.now(ACTS[(n / (7 + which)) % ACTS.len()]);
        }
        pending.push(spawn(&backend, &format!("put{n}"), once(), Some(Duration::from_millis(50))));
        tokio::time::sleep(Duration::from_millis(if n % 50 == 0 { 1_500 } else { 3 })).await;
    }
    for call in pending {
        let _ = call.await.unwrap();
    }
    let mut methods: Vec<_> = world.servers.iter().flat_map(Server::methods).collect();
    let all = methods.len();
    methods.sort_unstable();
    methods.dedup();
    assert_eq!(methods.len(), all);
    assert!(all > 500, "{all}");
}
