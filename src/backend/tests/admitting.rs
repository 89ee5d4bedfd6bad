//! Who is let to an endpoint where not all can be.

use super::super::endpoint::Endpoint as At;
use super::world::*;

const MS: Duration = Duration::from_millis(1);
const TENTH: Duration = Duration::from_millis(100);

/// Asks for an answer beside others.
fn asks(backend: &Arc<Backend>, name: &'static str) -> tokio::task::JoinHandle<Result<Answer, Fault>> {
    let backend = Arc::clone(backend);
    tokio::spawn(async move { backend.answer(&call_of(name), &idempotent(), None).await })
}

fn first(backend: &Backend) -> Arc<At> {
    backend.endpoints.first()
}

/// How many calls and checks a server has before it.
fn before(server: &Server) -> usize {
    server.calls() + server.checks() - server.handled()
}

/// The most calls that a server had before it at once, while `time` passed.
async fn most_at_once(server: &Server, time: Duration) -> usize {
    let (until, mut most) = (Instant::now() + time, 0);
    while Instant::now() < until {
        most = most.max(before(server));
        tokio::time::sleep(MS).await;
    }
    most
}

#[tokio::test(start_paused = true)]
async fn a_method_that_hangs_leaves_connections_to_others_and_is_out_when_it_cannot_be_slow_any_more() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (16, 100);
    let backend = world.watch();
    for name in ["hangs", "well"] {
        backend.answer(&call_of(name), &once(), None).await.unwrap();
    }
    world.servers[0].at("hangs", Act::Hang);
    let hung: Vec<_> = (0..50).map(|_| asks(&backend, "hangs")).collect();
    let hangs = method(&backend, &call_of("hangs"));
    let began = Instant::now();
    while !backend.is_out(hangs.of(b"hangs")) {
        assert!(began.elapsed() < Duration::from_secs(12), "nothing came for so long");
        backend.answer(&call_of("well"), &once(), Some(10 * MS)).await.unwrap();
        tokio::time::sleep(TENTH).await;
    }
    assert!(began.elapsed() >= Duration::from_secs(10), "it might have been slow");
    tokio::task::yield_now().await;
    let waiting = hung.iter().filter(|one| !one.is_finished()).count();
    assert!(!backend.is_down() && (12..=15).contains(&waiting), "{waiting}: who was not sent need not wait");
    world.servers[0].at("hangs", Act::Answer);
    while backend.refresh(&call_of("hangs")).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(TENTH).await;
    }
    asks(&backend, "hangs").await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_that_nobody_else_is_kept_waiting_by_limits_nothing() {
    let mut world = World::of(1);
    world.settings.max_connections = 16;
    let backend = world.watch();
    backend.answer(&call_of("report"), &once(), None).await.unwrap();
    world.servers[0].at("report", Act::AnswerAfter(Duration::from_secs(8)));
    let reports: Vec<_> = (0..6).map(|_| asks(&backend, "report")).collect();
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(world.servers[0].calls(), 7);
    for report in reports {
        report.await.unwrap().unwrap();
    }
    assert!(backend.endpoints().iter().all(|one| one.standing == Standing::Rotating));
}

#[tokio::test(start_paused = true)]
async fn of_a_method_that_does_not_answer_while_others_wait_a_part_of_what_the_endpoint_can_do_is_asked() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (16, 100);
    let backend = world.watch();
    world.all(Act::AnswerAfter(TENTH));
    let all: Vec<_> = (0..8).flat_map(|_| [asks(&backend, "a"), asks(&backend, "b")]).collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    world.servers[0].at("a", Act::AnswerAfter(Duration::from_secs(6)));
    world.servers[0].at("b", Act::AnswerAfter(Duration::from_secs(1)));
    let _busy = tokio::spawn({
        let backend = Arc::clone(&backend);
        async move { while backend.answer(&call_of("b"), &once(), None).await.is_ok() {} }
    });
    let slow: Vec<_> = (0..6).map(|_| asks(&backend, "a")).collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let heard = world.servers[0].methods().iter().filter(|name| *name == "a").count();
    let later: Vec<_> = (0..6).map(|_| asks(&backend, "a")).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.servers[0].methods().iter().filter(|name| *name == "a").count(), heard);
    for one in slow.into_iter().chain(later) {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_back_is_asked_little_at_first_and_everything_soon() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (64, 1000);
    let backend = world.watch();
    let address = world.servers[0].address;
    world.refuse(address);
    while !backend.is_down() {
        let _ = backend.answer(&call(), &once(), None).await;
        tokio::time::sleep(TENTH).await;
    }
    let server = world.serve(address);
    server.now(Act::AnswerAfter(10 * MS));
    while backend.is_down() {
        tokio::time::sleep(MS).await;
    }
    let all: Vec<_> = (0..400).map(|_| asks(&backend, "getUser")).collect();
    assert!(most_at_once(&server, 240 * MS).await <= 4);
    let then = most_at_once(&server, Duration::from_secs(1)).await;
    assert!((8..=33).contains(&then), "{then}, of which one may be a check");
    for one in all {
        one.await.unwrap().unwrap();
    }
    let mut steps = 0;
    while first(&backend).pool.permits.limit().is_some() {
        steps += 1;
        tokio::time::sleep(TENTH * 3).await;
        asks(&backend, "getUser").await.unwrap().unwrap();
    }
    assert!((1..=3).contains(&steps), "{steps}");
}

/// As Apache's pools of threads are: four connections are read, and the fifth when one of them ends.
fn few_workers(max_connections: usize) -> (World, Arc<Backend>) {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (max_connections, 100);
    let server = world.serve_with("10.0.0.1:9090".parse().unwrap(), 4);
    world.servers.push(server);
    let backend = world.backend();
    tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    world.all(Act::AnswerAfter(10 * MS));
    (world, backend)
}

#[tokio::test(start_paused = true)]
async fn a_server_with_few_workers_answers_all_that_a_client_asks_at_once_and_is_not_asked_more_after() {
    let (world, backend) = few_workers(64);
    let began = Instant::now();
    let all: Vec<_> = (0..38).map(|_| asks(&backend, "getUser")).collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(first(&backend).pool.permits.limit(), Some(4));
    let opened = world.opened();
    let began = Instant::now();
    for _ in 0..20 {
        let all: Vec<_> = (0..38).map(|_| asks(&backend, "getUser")).collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(world.opened(), opened, "no call waits behind a connection that is not read");
    assert!(backend.endpoints().iter().all(|one| one.standing == Standing::Rotating));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent_twice_to_a_server_with_few_workers_is_read_when_others_make_room() {
    let (world, backend) = few_workers(64);
    let write = || {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { backend.answer(&call_of("write"), &once(), None).await })
    };
    let began = Instant::now();
    let all: Vec<_> = (0..12).map(|_| write()).collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(world.calls(), 12, "each was sent once");
    assert!(backend.endpoints().iter().all(|one| one.standing == Standing::Rotating));
}

#[tokio::test(start_paused = true)]
async fn refreshes_take_nothing_that_others_need() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (64, 4000);
    let backend = world.watch();
    world.all(Act::AnswerAfter(10 * MS));
    let all: Vec<_> = (0..8).map(|_| asks(&backend, "getUser")).collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    for _ in 0..1000 {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { backend.refresh(&call_of("stale")).await });
    }
    tokio::time::sleep(MS).await;
    let refreshing = before(&world.servers[0]);
    assert!(refreshing <= 2, "{refreshing} of the eight that it was seen to handle");
    let began = Instant::now();
    asks(&backend, "write").await.unwrap().unwrap();
    assert!(began.elapsed() < 15 * MS);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_at_an_endpoint_that_fails_goes_elsewhere() {
    let mut world = World::of(2);
    (world.settings.max_connections, world.settings.max_waiting) = (1, 100);
    let backend = world.watch();
    backend.answer(&call(), &once(), None).await.unwrap();
    world.servers[0].now(Act::Hang);
    let mut all: Vec<_> = (0..20).map(|_| asks(&backend, "getUser")).collect();
    let began = Instant::now();
    while all.len() > 1 {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(TENTH).await;
        all.retain(|one| !one.is_finished());
    }
    assert_eq!(world.servers[0].calls(), 1, "the others were not sent there");
}

/// A slow report at the start of a gateway: nobody knows yet how long it takes.
#[tokio::test(start_paused = true)]
async fn misses_that_take_long_wait_for_no_first_answer() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (64, 100);
    let backend = world.watch();
    world.all(Act::AnswerAfter(Duration::from_secs(8)));
    let ask = |id: u8| {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { backend.answer_keyed(&call(), &[id]).await })
    };
    let asked: Vec<_> = (0..32).map(ask).collect();
    let began = Instant::now();
    for one in asked {
        one.await.unwrap().unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
