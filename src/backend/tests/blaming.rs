//! What a call that ran out of time says of the endpoint: nothing, unless the endpoint had its time.

use super::world::*;
use crate::dial::simulated::Link;
use rustix::io::Errno;

const SHORT: Option<Duration> = Some(Duration::from_millis(100));

/// An address that neither accepts nor refuses; whoever asks waits as for a host that is gone.
async fn silent(world: &mut World) -> Arc<Backend> {
    world.settings.ejection_failures = 2;
    let address = "10.0.0.1:9090".parse().unwrap();
    world.fill(address).await;
    world.backend()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_while_its_connection_opens_timed_out_and_blames_nobody() {
    let mut world = World::of(1);
    let backend = silent(&mut world).await;
    let fault = backend.answer(&call(), &once(), SHORT).await.unwrap_err();
    assert_eq!(fault.as_str(), "timeout");
    assert_eq!(fault.to_string(), "backend users did not answer within 100 ms");
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

/// Else an endpoint that is gone would never be left alone where calls have less time than opening a connection.
#[tokio::test(start_paused = true)]
async fn what_the_opening_comes_to_is_found_out_without_the_call() {
    let mut world = World::of(1);
    let backend = silent(&mut world).await;
    for _ in 0..2 {
        assert!(backend.answer(&call(), &once(), SHORT).await.is_err());
    }
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
    backend.settled().await;
    assert_eq!(backend.endpoints()[0].standing, Standing::Ejected(Why::Silent));
    assert_eq!((backend.endpoints()[0].in_flight, backend.endpoints()[0].connections), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_opens_too_late_for_its_call_is_the_next_ones() {
    let mut world = World::of(1);
    let backend = silent(&mut world).await;
    assert!(backend.answer(&call(), &once(), SHORT).await.is_err());
    let server = world.drain("10.0.0.1:9090".parse().unwrap()).await;
    backend.settled().await;
    assert_eq!(backend.endpoints()[0].connections, 1);
    backend.answer(&call(), &once(), SHORT).await.unwrap();
    assert_eq!((server.heard().len(), backend.endpoints()[0].connections), (1, 1));
    assert_eq!(world.counted(r#"larder_backend_connections_opened_total{backend="users"}"#), 1);
}

#[tokio::test(start_paused = true)]
async fn opening_that_takes_all_the_time_it_may_is_unreachable_and_blames() {
    let mut world = World::of(1);
    let backend = silent(&mut world).await;
    for _ in 0..2 {
        assert_eq!(backend.answer(&call(), &once(), SECOND).await.unwrap_err().as_str(), "unreachable");
    }
    assert_eq!(backend.endpoints()[0].standing, Standing::Ejected(Why::Silent));
}

/// A try that ends while its connection opens has sent nothing: even a call that may not be repeated goes elsewhere.
#[tokio::test(start_paused = true)]
async fn a_try_that_ends_while_its_connection_opens_was_not_sent() {
    let mut world = World::of(2);
    world.settings.attempt_timeout = SHORT;
    let gone = "10.0.0.1:9090".parse().unwrap();
    world.fill(gone).await;
    let there = world.serve("10.0.0.2:9090".parse().unwrap());
    let backend = world.backend();
    for _ in 0..20 {
        backend.answer(&call(), &once(), SECOND).await.unwrap();
    }
    assert_eq!(there.calls(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_asked_with_the_time_nearly_spent_is_not_blamed() {
    let mut world = World::of(1);
    world.settings.max_connections = 1;
    world.settings.ejection_failures = 1;
    let backend = world.start();
    world.all(Act::AnswerAfter(Duration::from_millis(900)));
    let ask = || {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { backend.answer(&call(), &once(), SECOND).await })
    };
    let (first, second) = (ask(), ask());
    assert!(first.await.unwrap().is_ok());
    assert_eq!(second.await.unwrap().unwrap_err().as_str(), "timeout");
    assert_eq!(world.calls(), 2, "it was sent with 100 ms left");
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);

    world.all(Act::Hang);
    assert_eq!(backend.answer(&call(), &once(), SECOND).await.unwrap_err().as_str(), "timeout");
    assert!(backend.is_out(method(&backend, &call()).of(b"getUser")), "a silence of a whole second blames");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_any_time_left_is_not_sent() {
    let mut world = World::of(1);
    world.settings.ejection_failures = 1;
    let backend = world.start();
    let fault = backend.answer(&call(), &idempotent(), Some(Duration::ZERO)).await.unwrap_err();
    assert_eq!((fault.as_str(), world.opened()), ("timeout", 0));
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_ends_in_the_line_says_how_long_the_line_is() {
    let mut world = World::of(1);
    world.settings.max_connections = 1;
    world.settings.ejection_failures = 1;
    let backend = world.start();
    world.all(Act::AnswerAfter(Duration::from_millis(900)));
    let first = Arc::clone(&backend);
    let first = tokio::spawn(async move { first.answer(&call(), &once(), None).await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let fault = backend.answer(&call(), &once(), SHORT).await.unwrap_err();
    assert_eq!(fault.to_string(), "backend users is busy: 1 calls wait for their turn");
    assert!(first.await.unwrap().is_ok());
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_during_the_first_lookup_timed_out() {
    let mut world = World::of(1);
    world.settings.endpoints = vec![("db".to_owned(), 9090)];
    let backend = world.backend();
    assert_eq!(backend.answer(&call(), &once(), SHORT).await.unwrap_err().as_str(), "timeout");
    let fault = backend.answer(&call(), &once(), SECOND).await.unwrap_err();
    assert_eq!(fault.as_str(), "unreachable");
    assert!(fault.to_string().ends_with("its names are still being looked up"), "{fault}");
}

/// Each error number, and where an endpoint stands after as many dials as eject it came to that.
#[tokio::test(start_paused = true)]
async fn a_connection_that_this_host_cannot_open_blames_nobody() {
    for (errno, word, standing) in [
        (Errno::MFILE, "ours", Standing::Rotating),
        (Errno::ADDRNOTAVAIL, "ours", Standing::Rotating),
        (Errno::NETUNREACH, "ours", Standing::Rotating),
        (Errno::CONNREFUSED, "unreachable", Standing::Ejected(Why::Refused)),
        (Errno::HOSTUNREACH, "unreachable", Standing::Ejected(Why::Refused)),
    ] {
        let mut world = World::of(1);
        let backend = world.start();
        let address = world.servers[0].address;
        world.network.fail(address, Some(errno.raw_os_error()));
        for _ in 0..2 {
            let fault = backend.answer(&call(), &idempotent(), SECOND).await.unwrap_err();
            assert_eq!(fault.as_str(), word, "{fault}");
        }
        assert_eq!(backend.endpoints()[0].standing, standing, "{errno:?}");
        world.network.fail(address, None);
        assert_eq!(backend.answer(&call(), &once(), SECOND).await.is_ok(), standing == Standing::Rotating);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_this_host_has_no_connection_for_goes_where_there_is_one() {
    let mut world = World::of(2);
    let backend = world.start();
    world.network.fail(world.servers[0].address, Some(Errno::MFILE.raw_os_error()));
    for _ in 0..20 {
        backend.answer(&call(), &once(), SECOND).await.unwrap();
    }
    assert_eq!(world.servers[1].calls(), 20);
    assert!(backend.endpoints().iter().all(|endpoint| endpoint.standing == Standing::Rotating));
}

/// What becomes of an endpoint whose connections end so, three times, while it is asked.
async fn after_three_ends(end: impl Fn(&Link), word: &str) -> Standing {
    let mut world = World::of(1);
    world.settings.retries = 0;
    let backend = world.start();
    world.all(Act::Hang);
    for _ in 0..3 {
        let asking = Arc::clone(&backend);
        let asked = tokio::spawn(async move { asking.answer(&call(), &idempotent(), None).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        world.network.links().iter().for_each(&end);
        let fault = asked.await.unwrap().unwrap_err();
        assert_eq!(fault.as_str(), word, "{fault}");
    }
    backend.endpoints()[0].standing
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_whose_host_the_system_takes_for_lost_is_blamed_and_one_that_cuts_is_not() {
    assert_eq!(after_three_ends(Link::lose, "lost").await, Standing::Ejected(Why::Silent));
    assert_eq!(after_three_ends(Link::cut, "closed").await, Standing::Rotating);
}
