//! What fb303's five states make of an endpoint.

use super::world::*;

const SECOND: Duration = Duration::from_secs(1);
const DEAD: i32 = 0;
const STARTING: i32 = 1;
const ALIVE: i32 = 2;
const STOPPING: i32 = 3;
const STOPPED: i32 = 4;
const WARNING: i32 = 5;

/// A backend of so many endpoints whose status is asked for each second, and all are well.
fn of(endpoints: usize) -> (World, Arc<Backend>) {
    let mut world = World::of(endpoints);
    world.settings.check = finding::Kind::Fb303;
    world.settings.check_always = Some(SECOND);
    world.settings.slow_start = Duration::ZERO;
    let backend = world.watch();
    world.servers.iter().for_each(|server| says(server, ALIVE));
    (world, backend)
}

fn says(server: &Server, status: i32) {
    server.at("getStatus", Act::AnswerNumber(status));
}

/// Waits until what the servers say must be known.
async fn is_known() {
    tokio::time::sleep(3 * SECOND).await;
}

/// The share of the first endpoint of a thousand calls that follow one another.
async fn share_of_first(world: &World, backend: &Backend) -> f64 {
    let gets = || world.servers[0].methods().iter().filter(|name| *name == "get").count();
    let before = gets();
    for _ in 0..1_000 {
        backend.answer(&call_of("get"), &once(), None).await.unwrap();
    }
    (gets() - before) as f64 / 1_000.0
}

#[tokio::test(start_paused = true)]
async fn one_that_warns_has_half_of_its_share_until_it_is_well() {
    let (world, backend) = of(2);
    for (status, share) in [(ALIVE, 0.5), (WARNING, 1.0 / 3.0), (ALIVE, 0.5)] {
        says(&world.servers[0], status);
        is_known().await;
        let found = share_of_first(&world, &backend).await;
        assert!((found - share).abs() < 0.06, "{status}: {found}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_starts_or_stops_gets_no_calls_and_raises_no_alarm() {
    for status in [STARTING, STOPPING] {
        let (world, backend) = of(2);
        says(&world.servers[0], status);
        is_known().await;
        assert_eq!(backend.endpoints()[0].standing, Standing::Ejected(Why::Draining));
        assert_eq!(share_of_first(&world, &backend).await, 0.0);
        says(&world.servers[0], ALIVE);
        tokio::time::sleep(SECOND).await;
        assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
        assert!(share_of_first(&world, &backend).await > 0.4);
    }
}

#[tokio::test(start_paused = true)]
async fn where_all_stop_calls_that_have_nothing_else_pass_and_bring_none_back() {
    let (world, backend) = of(2);
    world.servers.iter().for_each(|server| says(server, STOPPING));
    is_known().await;
    assert!(backend.is_down());
    for _ in 0..10 {
        backend.answer(&call_of("get"), &once(), None).await.unwrap();
    }
    assert_eq!(backend.refresh(&call_of("get")).await.unwrap_err().as_str(), "down");
    assert!(backend.is_down());
    says(&world.servers[1], STOPPED);
    is_known().await;
    let standings = [0, 1].map(|at| backend.endpoints()[at].standing);
    assert_eq!(standings, [Why::Draining, Why::Unwell].map(Standing::Ejected));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dead_or_has_stopped_is_out() {
    for status in [DEAD, STOPPED] {
        let (world, backend) = of(2);
        says(&world.servers[0], status);
        is_known().await;
        assert_eq!(backend.endpoints()[0].standing, Standing::Ejected(Why::Unwell));
        assert_eq!(share_of_first(&world, &backend).await, 0.0);
    }
}
