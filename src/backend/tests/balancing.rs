//! Which endpoint gets how many of the calls.

use super::world::*;
use bytes::Bytes;
use tokio::task::JoinSet;

const MS: Duration = Duration::from_millis(1);

/// A backend of so many endpoints that answer within 10 ms, and are never ejected.
fn of(endpoints: usize, change: impl FnOnce(&mut Settings)) -> (World, Arc<Backend>) {
    let mut world = World::of(endpoints);
    world.settings.max_connections = 10_000;
    world.settings.ejection_failures = u32::MAX;
    change(&mut world.settings);
    let backend = world.start();
    world.all(Act::AnswerAfter(10 * MS));
    (world, backend)
}

fn named(name: &str) -> Call {
    Call { name: Bytes::copy_from_slice(name.as_bytes()), ..call() }
}

/// Asks so many times a second, whatever comes of it, for so long. Returns without waiting for the last answers.
async fn load(backend: &Arc<Backend>, name: &str, terms: &Terms, per_second: u32, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        let (backend, call, terms) = (Arc::clone(backend), named(name), terms.clone());
        tokio::spawn(async move { backend.answer(&call, &terms, None).await });
        tokio::time::sleep(Duration::from_secs(1) / per_second).await;
    }
}

/// Asks for one answer after another.
async fn ask_until(backend: Arc<Backend>, until: Instant) {
    while Instant::now() < until {
        backend.answer(&named("get"), &once(), None).await.unwrap();
    }
}

/// The calls that each endpoint got of those that `asking` makes.
async fn shares(world: &World, asking: impl Future<Output = ()>) -> Vec<f64> {
    let count = || -> Vec<usize> { world.servers.iter().map(Server::calls).collect() };
    let before = count();
    asking.await;
    let got: Vec<usize> = count().iter().zip(&before).map(|(after, before)| after - before).collect();
    let all: usize = got.iter().sum();
    got.iter().map(|&calls| calls as f64 / all as f64).collect()
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_becomes_ten_times_slower_has_less_than_a_twentieth_within_two_seconds() {
    for (endpoints, per_second) in [(4, 100), (4, 1_000), (6, 500), (8, 100), (8, 2_000)] {
        let (world, backend) = of(endpoints, |_| {});
        load(&backend, "get", &once(), per_second, Duration::from_secs(1)).await;
        world.servers[1].now(Act::AnswerAfter(100 * MS));
        for seconds in 0..2 {
            let time = Duration::from_secs(2);
            let shares = shares(&world, load(&backend, "get", &once(), per_second, time)).await;
            assert!(shares[1] < 0.05, "{endpoints} {per_second} {seconds} {shares:?}");
        }
    }
}

/// Callers who wait for each answer before they ask again: there is never more in flight than there are of them.
#[tokio::test(start_paused = true)]
async fn a_slow_endpoint_does_not_collect_callers_that_wait_for_each_answer() {
    for callers in [1, 4, 32] {
        let (world, backend) = of(4, |_| {});
        world.servers[1].now(Act::AnswerAfter(100 * MS));
        let asking = || async {
            let until = Instant::now() + Duration::from_secs(2);
            let all: JoinSet<()> = (0..callers).map(|_| ask_until(Arc::clone(&backend), until)).collect();
            all.join_all().await;
        };
        asking().await;
        let shares = shares(&world, asking()).await;
        assert!(shares[1] < 0.05, "{callers} {shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_loses_its_calls_before_the_first_of_them_has_ended() {
    for endpoints in [2, 4, 8] {
        let (world, backend) = of(endpoints, |_| {});
        load(&backend, "get", &once(), 1_000, Duration::from_millis(500)).await;
        world.servers[1].now(Act::Hang);
        let shares = shares(&world, load(&backend, "get", &once(), 1_000, Duration::from_secs(1))).await;
        assert!(shares[1] < 0.03, "{endpoints} {shares:?}");
    }
}

/// While the first of them is under way there is nothing to tell it from a slow endpoint by; from its answer on there is.
#[tokio::test(start_paused = true)]
async fn a_slow_method_does_not_make_its_endpoint_slow_for_others() {
    let (world, backend) = of(4, |_| {});
    world.all(Act::AnswerAsNamed);
    load(&backend, "get10", &once(), 1_000, Duration::from_secs(2)).await;
    for _ in 0..3 {
        load(&backend, "report8000", &once(), 2, Duration::from_secs(10)).await;
        let shares = shares(&world, load(&backend, "get10", &once(), 1_000, Duration::from_secs(1))).await;
        assert!(shares.iter().all(|share| (0.15..0.35).contains(share)), "{shares:?}");
    }
}

/// With a hundred calls in flight at each of the others too, where one without any looks free.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_fast_has_less_than_half_of_its_share() {
    for act in [Act::AnswerField(1), Act::HangUp, Act::AnswerHalf, Act::WrongName] {
        for (endpoints, usual) in [(4, 10), (4, 300), (2, 300)] {
            let (world, backend) = of(endpoints, |_| {});
            world.all(Act::AnswerAfter(usual * MS));
            let terms = Terms { failures: [1].into(), ..once() };
            load(&backend, "get", &terms, 1_000, Duration::from_secs(1)).await;
            world.servers[1].now(act);
            let shares = shares(&world, load(&backend, "get", &terms, 1_000, Duration::from_secs(2))).await;
            let half = 0.5 / endpoints as f64;
            assert!((0.01..half).contains(&shares[1]), "{act:?} {usual} {shares:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_get_calls_by_their_weights_however_many_there_are() {
    for per_second in [10, 1_000, 5_000] {
        let (world, backend) = of(4, |settings| {
            settings.weights = [(("10.0.0.1".to_owned(), 9090), 3)].into();
        });
        let time = Duration::from_secs(3_000) / per_second;
        let shares = shares(&world, load(&backend, "get", &once(), per_second, time)).await;
        assert!((0.45..0.58).contains(&shares[0]), "{per_second} {shares:?}");
        assert!(shares[1..].iter().all(|share| (0.12..0.2).contains(share)), "{per_second} {shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_start_of_the_process_all_endpoints_get_the_same() {
    let (world, backend) = of(4, |_| {});
    let shares = shares(&world, load(&backend, "get", &once(), 1_000, Duration::from_secs(2))).await;
    assert!(shares.iter().all(|share| (0.2..0.3).contains(share)), "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_endpoint_begins_with_a_tenth_and_is_never_without() {
    for per_second in [20, 300] {
        let (mut world, _) = of(2, |settings| {
            settings.endpoints = vec![("db".to_owned(), 9090)];
            settings.slow_start = Duration::from_secs(100);
        });
        world.servers = (1..=2).map(|n| world.serve(format!("10.0.0.{n}:9090").parse().unwrap())).collect();
        let ip = |n: usize| world.servers[n].address.ip();
        world.network.name("db", vec![ip(0)]);
        let backend = world.backend();
        let _running = tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
        world.all(Act::AnswerAfter(10 * MS));
        load(&backend, "get", &once(), per_second, Duration::from_secs(1)).await;
        world.network.name("db", vec![ip(0), ip(1)]);
        while backend.endpoints().len() < 2 {
            tokio::time::sleep(10 * MS).await;
        }
        // Of a tenth and a whole, a tenth of eleven tenths; of a half and a whole, a third.
        for (from, least, most) in [(0, 0.05, 0.15), (45, 0.25, 0.4), (100, 0.42, 0.58)] {
            tokio::time::sleep(Duration::from_secs(if from == 0 { 0 } else { 35 })).await;
            let time = Duration::from_secs(10);
            let shares = shares(&world, load(&backend, "get", &once(), per_second, time)).await;
            assert!((least..most).contains(&shares[1]), "{per_second} {from} {shares:?}");
        }
    }
}

/// The share of an endpoint in the midst of its slow start, beside one that is not, when a third one `visits` meanwhile or does not.
async fn share_in_the_midst(visits: bool) -> f64 {
    let (mut world, _) = of(3, |settings| {
        settings.endpoints = vec![("db".to_owned(), 9090)];
        settings.slow_start = Duration::from_secs(100);
    });
    world.servers = (1..=3).map(|n| world.serve(format!("10.0.0.{n}:9090").parse().unwrap())).collect();
    let ip = |n: usize| world.servers[n].address.ip();
    world.network.name("db", vec![ip(0)]);
    let backend = world.backend();
    let _running = tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    world.all(Act::AnswerAfter(10 * MS));
    load(&backend, "get", &once(), 20, Duration::from_secs(1)).await;
    for third in [false, visits, false] {
        world.network.name("db", (0..if third { 3 } else { 2 }).map(ip).collect());
        tokio::time::sleep(Duration::from_secs(15)).await;
    }
    shares(&world, load(&backend, "get", &once(), 300, Duration::from_secs(10))).await[1]
}

#[tokio::test(start_paused = true)]
async fn slow_start_goes_on_when_others_come_and_go() {
    let (alone, visited) = (share_in_the_midst(false).await, share_in_the_midst(true).await);
    assert!((0.15..0.4).contains(&alone) && (alone - visited).abs() < 0.03, "{alone} {visited}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_back_begins_with_a_tenth() {
    let (mut world, backend) = of(2, |settings| settings.slow_start = Duration::from_secs(100));
    let _running = tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    let is_out = || backend.endpoints()[0].standing != Standing::Rotating;
    let gone = world.servers[0].address;
    world.refuse(gone);
    while !is_out() {
        load(&backend, "get", &once(), 100, 100 * MS).await;
    }
    world.servers[0] = world.serve(gone);
    world.all(Act::AnswerAfter(10 * MS));
    while is_out() {
        load(&backend, "get", &once(), 100, 100 * MS).await;
    }
    let shares = shares(&world, load(&backend, "get", &once(), 300, Duration::from_secs(10))).await;
    assert!((0.05..0.15).contains(&shares[0]), "{shares:?}");
}
