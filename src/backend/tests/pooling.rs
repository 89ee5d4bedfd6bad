//! Which connections are used again, and how many there may be.

use super::world::*;
use crate::dial::Tcp;
use crate::dial::simulated::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn spawn(backend: &Arc<Backend>) -> tokio::task::JoinHandle<Result<Answer, Fault>> {
    let backend = Arc::clone(backend);
    tokio::spawn(async move { backend.answer(&call(), &once(), None).await })
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_call_never_leaves_its_connection_to_the_next() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(Duration::from_millis(600)));
    let fault = backend.answer(&call(), &once(), Some(Duration::from_millis(300))).await;
    assert_eq!(fault.unwrap_err().as_str(), "timeout");
    let dropped =
        tokio::time::timeout(Duration::from_millis(300), backend.answer(&call(), &once(), None)).await;
    assert!(dropped.is_err());
    assert_eq!(backend.endpoints()[0].connections, 0);
    world.all(Act::Answer);
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(world.opened(), 3);
    assert_eq!(backend.endpoints()[0].in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_before_a_thriftpy2_server_would() {
    let mut world = World::of(1);
    let backend = world.start();
    let _running = tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(backend.endpoints()[0].connections, 1);
    tokio::time::sleep(Duration::from_millis(2400)).await;
    assert_eq!(backend.endpoints()[0].connections, 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(backend.endpoints()[0].connections, 0);
    assert_eq!(world.servers[0].ended(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_overdue_connection_is_not_used_even_if_nobody_closed_it() {
    let mut world = World::of(1);
    let backend = world.start();
    backend.answer(&call(), &once(), None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(world.opened(), 2);
}

/// Its server may be closing it at this moment; what may not be sent again would be lost.
#[tokio::test(start_paused = true)]
async fn a_call_that_may_not_be_repeated_has_no_connection_that_rested_for_a_second() {
    for (rest, once_opens) in [(990, 1), (1010, 2)] {
        let mut world = World::of(1);
        let backend = world.start();
        prove_patience(&backend).await;
        backend.answer(&call(), &idempotent(), None).await.unwrap();
        assert_eq!(world.opened(), 1);
        tokio::time::sleep(Duration::from_millis(rest)).await;
        backend.answer(&call(), &once(), None).await.unwrap();
        assert_eq!((world.opened(), world.servers[0].ended()), (once_opens, once_opens - 1));
        assert_eq!(
            backend.endpoints()[0].connections,
            1,
            "what rested is closed, for a server with one thread"
        );
        tokio::time::sleep(Duration::from_millis(rest)).await;
        Client::of(&backend).tell("note").await.unwrap();
        assert_eq!(world.opened(), once_opens * 2 - 1, "nor has one without a reply");
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_capped_and_so_is_the_line_for_them() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(Duration::from_millis(100)));
    let calls: Vec<_> = (0..6).map(|_| spawn(&backend)).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(backend.endpoints()[0].in_flight, 6);
    let fault = backend.answer(&call(), &once(), None).await.unwrap_err();
    assert_eq!(fault.as_str(), "busy");
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(world.opened(), 4);
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_connection_for_a_check_counts_from_when_it_is_dialled() {
    let mut world = World::of(1);
    (world.settings.max_connections, world.settings.connections) = (2, Sharing::PerClient);
    world.network.weather(|_| [Path { delay: Duration::from_millis(50), ..Path::default() }; 2]);
    let backend = world.start();
    let first = spawn(&backend);
    tokio::time::sleep(Duration::from_millis(150)).await;
    let endpoint = backend.endpoints.first();
    let check = tokio::spawn(async move { endpoint.check().await });
    first.await.unwrap().unwrap();
    assert!(!check.is_finished());
    let own = tokio::spawn(async move { Client::of(&backend).ask(&once(), None).await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.network.links().len(), 2, "what rested made room");
    own.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_no_connection_in_time_was_not_sent() {
    let mut world = World::of(1);
    world.settings.max_connections = 1;
    let backend = world.start();
    world.all(Act::Hang);
    let _first = spawn(&backend);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let fault = backend.answer(&call(), &once(), SECOND).await.unwrap_err();
    assert_eq!(fault.as_str(), "busy");
    assert_eq!(world.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_line_is_left_when_no_time_is_left_for_an_answer() {
    let mut world = World::of(1);
    world.settings.max_connections = 1;
    let backend = world.start();
    world.all(Act::AnswerAfter(Duration::from_millis(300)));
    for _ in 0..10 {
        backend.answer(&call(), &once(), SECOND).await.unwrap();
    }
    world.all(Act::AnswerAfter(Duration::from_secs(5)));
    let _held = spawn(&backend);
    tokio::time::sleep(Duration::from_millis(1)).await;
    for (time, waited) in [(1_000, 700), (200, 0)] {
        let began = Instant::now();
        let asked = backend.answer(&call(), &once(), Some(Duration::from_millis(time))).await;
        assert_eq!(asked.unwrap_err().as_str(), "busy");
        let waited = Duration::from_millis(waited);
        assert!(
            (waited..waited + Duration::from_millis(10)).contains(&began.elapsed()),
            "{:?}",
            began.elapsed()
        );
    }
    assert_eq!(world.calls(), 11, "nothing was sent that could not be answered");
}

#[tokio::test]
async fn a_real_socket_closed_at_rest_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut world = World::of(1);
    let address = listener.local_addr().unwrap();
    world.settings.endpoints = vec![(address.ip().to_string(), address.port())];
    let outside = Outside { dial: Arc::new(Tcp), ..world.outside() };
    let backend = Backend::new(world.settings.clone(), outside, Seed::new(1), &world.counts);
    for _ in 0..3 {
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut call = [0; 30];
            stream.read_exact(&mut call).await.unwrap();
            call[7] = 2;
            stream.write_all(&call).await.unwrap();
            drop(stream);
        };
        let (call, once) = (call(), once());
        let (asked, ()) = tokio::join!(backend.answer(&call, &once, None), serving);
        assert_eq!(asked.unwrap().said, Said::Nothing);
        let closed = async {
            while backend.endpoints()[0].connections > 0 {
                backend.endpoints.first().pool.reap(Instant::now(), &backend.means.tally);
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();
    }
}

/// Its rest begins when it is open.
#[tokio::test(start_paused = true)]
async fn a_connection_that_opens_for_longer_than_it_may_rest_carries_its_call() {
    let mut world = World::of(1);
    world.settings.idle_timeout = Duration::from_millis(50);
    let address = "10.0.0.1:9090".parse().unwrap();
    world.fill(address).await;
    let backend = world.backend();
    tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    let asking = Arc::clone(&backend);
    let asked = tokio::spawn(async move { asking.answer(&call(), &once(), None).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let server = world.drain(address).await;
    asked.await.unwrap().unwrap();
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(server.methods().len(), 2);
    assert_eq!(server.heard()[0], server.heard()[1], "it rests from then on");
}
