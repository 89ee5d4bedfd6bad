//! Scenes that fool who watches over endpoints, each by its name: no endpoint that answers is ejected, nothing flaps, and no state outlives
//! its cause.

use super::world::*;
use crate::dial::simulated::Direction;

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);

fn ejections(world: &World) -> u64 {
    let why = Why::ALL.map(|why| {
        world.counted(&format!(
            "larder_backend_ejections_total{{backend=\"users\",reason=\"{}\"}}",
            why.as_str()
        ))
    });
    why.iter().sum()
}

/// Nothing of it is left: it rotates, nothing limits it, and a call is answered at once.
async fn as_before(backend: &Backend) {
    for endpoint in backend.endpoints() {
        assert_eq!((endpoint.standing, endpoint.waiting, endpoint.in_flight), (Standing::Rotating, 0, 0));
    }
    let began = Instant::now();
    backend.answer(&call(), &once(), SECOND).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(backend.methods_out(), [""; 0]);
}

fn ask(backend: &Arc<Backend>, name: &'static str) -> tokio::task::JoinHandle<Result<Answer, Fault>> {
    let backend = Arc::clone(backend);
    tokio::spawn(async move { backend.answer(&call_of(name), &once(), None).await })
}

/// A report takes eight seconds, and has all four workers for as long: nobody is answered, no check either, and all is well.
#[tokio::test(start_paused = true)]
async fn all_workers_stuck_in_one_slow_method() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (64, 1024);
    let address = "10.0.0.1:9090".parse().unwrap();
    let server = world.serve_with(address, 4);
    let backend = world.backend();
    tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    server.at("report", Act::AnswerAfter(8 * SEC));
    for _ in 0..20 {
        ask(&backend, "get").await.unwrap().unwrap();
    }
    for _ in 0..3 {
        let reports: Vec<_> = (0..8).map(|_| ask(&backend, "report")).collect();
        tokio::time::sleep(SEC).await;
        let others: Vec<_> = (0..8).map(|_| ask(&backend, "get")).collect();
        for asked in reports.into_iter().chain(others) {
            asked.await.unwrap().unwrap();
        }
    }
    assert_eq!(ejections(&world), 0);
    tokio::time::sleep(60 * SEC).await;
    as_before(&backend).await;
}

/// A database is gone: each call fails, and each check is answered. It is asked more and more seldom, and not at all as often as checks
/// are answered.
#[tokio::test(start_paused = true)]
async fn checks_that_pass_while_calls_fail() {
    let mut world = World::of(2);
    world.settings.ejection_time_max = 30 * SEC;
    let backend = world.watch();
    world.servers[0].now(Act::WrongSeqid);
    world.servers[0].at("larder_check", Act::Refuse);
    let mut failed = 0;
    for _ in 0..1200 {
        for name in ["one", "other"] {
            failed += usize::from(backend.answer(&call_of(name), &once(), None).await.is_err());
        }
        tokio::time::sleep(100 * MS).await;
    }
    assert!(failed < 60, "{failed} of 2400");
    let ejections = ejections(&world);
    assert!((1..=20).contains(&ejections), "{ejections} in two minutes");
    world.servers[0].now(Act::Answer);
    tokio::time::sleep(30 * SEC).await;
    for _ in 0..20 {
        for name in ["one", "other"] {
            backend.answer(&call_of(name), &once(), None).await.unwrap();
        }
        tokio::time::sleep(100 * MS).await;
    }
    as_before(&backend).await;
}

/// What lies between this gateway and its backend takes nothing any more; another gateway notices nothing.
#[tokio::test(start_paused = true)]
async fn a_partition_of_one_gateway() {
    let mut world = World::of(1);
    let backend = world.watch();
    let address = world.servers[0].address;
    for _ in 0..20 {
        ask(&backend, "get").await.unwrap().unwrap();
    }
    for link in world.network.links() {
        link.stall(Direction::Out, true);
        link.stall(Direction::Back, true);
    }
    world.fill(address).await;
    let cut = Instant::now();
    while backend.endpoints()[0].standing == Standing::Rotating {
        let _waits = ask(&backend, "get");
        tokio::time::sleep(100 * MS).await;
        assert!(cut.elapsed() < 13 * SEC);
    }
    tokio::time::sleep(600 * SEC).await;
    let server = world.drain(address).await;
    for link in world.network.links() {
        link.stall(Direction::Out, false);
        link.stall(Direction::Back, false);
    }
    tokio::time::sleep(2 * SEC).await;
    assert_eq!((ejections(&world), server.methods().len()), (1, 0), "no call had to find out");
    as_before(&backend).await;
}

/// So seldom that no row of failures comes about, and each of them alone must be enough.
#[tokio::test(start_paused = true)]
async fn one_call_a_minute() {
    let mut world = World::of(1);
    let backend = world.watch();
    let address = world.servers[0].address;
    for _ in 0..60 {
        backend.answer(&call(), &once(), None).await.unwrap();
        tokio::time::sleep(60 * SEC).await;
    }
    assert_eq!(ejections(&world), 0);
    world.refuse(address);
    assert!(backend.answer(&call(), &once(), None).await.is_err());
    tokio::time::sleep(2 * SEC).await;
    assert!(backend.is_down(), "one call was enough");
    tokio::time::sleep(58 * SEC).await;
    let server = world.serve(address);
    tokio::time::sleep(SEC).await;
    assert!(!backend.is_down(), "and none to find out that it is back");
    backend.answer(&call(), &once(), None).await.unwrap();
    tokio::time::sleep(60 * SEC).await;
    server.now(Act::Hang);
    let hung = ask(&backend, "get");
    tokio::time::sleep(15 * SEC).await;
    assert!(backend.is_down(), "a hang too");
    server.now(Act::Answer);
    tokio::time::sleep(SEC).await;
    assert_eq!((backend.is_down(), ejections(&world)), (false, 2));
    hung.abort();
}

/// Nothing that is sent is answered: silence says nothing of such a service, and what it is must be found out otherwise.
#[tokio::test(start_paused = true)]
async fn a_oneway_only_service() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.all(Act::Handle(50 * MS));
    let client = Client::of(&backend);
    for _ in 0..600 {
        client.tell("log").await.unwrap();
        tokio::time::sleep(100 * MS).await;
    }
    tokio::time::sleep(5 * SEC).await;
    assert_eq!((ejections(&world), world.servers[0].handled()), (0, 600 + world.servers[0].checks()));
    let address = world.servers[0].address;
    world.servers[0].now(Act::Die);
    while !backend.is_down() {
        let _fault = client.tell("log").await;
        tokio::time::sleep(100 * MS).await;
    }
    let server = world.serve(address);
    tokio::time::sleep(SEC).await;
    assert!(!backend.is_down());
    client.tell("log").await.unwrap();
    tokio::time::sleep(SEC).await;
    assert_eq!((server.methods().len(), ejections(&world)), (1, 1));
}

/// Each gateway's idle connection has the only worker for as long as it lies idle: the other's calls and checks wait for it, and that
/// proves nothing.
#[tokio::test(start_paused = true)]
async fn one_worker_and_two_gateways() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (1, 100);
    world.serve_with("10.0.0.1:9090".parse().unwrap(), 1);
    let gateways = [world.backend(), world.backend()];
    let end = Instant::now() + 120 * SEC;
    let load = gateways.each_ref().map(|backend| {
        tokio::spawn(Arc::clone(backend).run(CancellationToken::new()));
        let backend = Arc::clone(backend);
        tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while Instant::now() < end {
                let began = Instant::now();
                backend.answer(&call(), &once(), None).await.unwrap();
                longest = longest.max(began.elapsed());
                tokio::time::sleep(700 * MS).await;
            }
            longest
        })
    });
    for longest in load {
        let longest = longest.await.unwrap();
        assert!(longest < 60 * SEC, "{longest:?}");
    }
    assert_eq!(ejections(&world), 0);
}

/// What connections there are is answered; one more is not taken, and not refused.
#[tokio::test(start_paused = true)]
async fn a_full_backlog() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.max_waiting) = (64, 1024);
    let backend = world.watch();
    prove_patience(&backend).await;
    world.all(Act::AnswerAfter(10 * MS));
    let address = world.servers[0].address;
    let both = [ask(&backend, "get"), ask(&backend, "get")];
    for one in both {
        one.await.unwrap().unwrap();
    }
    world.fill(address).await;
    let mut failed = 0;
    for _ in 0..100 {
        let asked: Vec<_> = (0..8).map(|_| ask(&backend, "get")).collect();
        for one in asked {
            failed += usize::from(one.await.unwrap().is_err());
        }
        tokio::time::sleep(50 * MS).await;
        assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
    }
    assert!(failed <= 40, "{failed} of 800 found no connection");
    let server = world.drain(address).await;
    server.now(Act::AnswerAfter(10 * MS));
    tokio::time::sleep(90 * SEC).await;
    let asked: Vec<_> = (0..8).map(|_| ask(&backend, "get")).collect();
    for one in asked {
        one.await.unwrap().unwrap();
    }
    assert_eq!(ejections(&world), 0);
}
