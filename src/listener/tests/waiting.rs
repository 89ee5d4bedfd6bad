//! How long a caller waits who has an old entry at hand.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::world::*;
use crate::cache::shared::{Counts, Memory, Store};
use crate::clock::{Clock, Millis};
use crate::wire::message::{Form, Kind};

/// With one failure a method is out.
const FRAIL: &str = "ejection_failures = 1";

fn outcomes(world: &World, method: &str, outcome: &str) -> f64 {
    world.metric(&format!("larder_calls_total{{listener=\"it\",method=\"{method}\",outcome=\"{outcome}\"}}"))
}

/// An empty tier that other gateways share.
fn shared() -> Option<Arc<dyn Store>> {
    let clock = Clock::starting_at(Millis(1_000_000));
    Some(Arc::new(Memory::new(clock, Duration::from_millis(50), Counts::default())))
}

/// Three clients, of whom the last has asked for what never comes: the method goes out 100 ms from here. There is an old entry.
async fn soon_out(world: &World) -> [Client; 3] {
    let [mut first, second, mut other] = [world.client().await, world.client().await, world.client().await];
    first.call(&[("once", 0)]).await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 1)));
    pass(2_000).await;
    other.call(&[("once", 1)]).await;
    pass(900).await;
    [first, second, other]
}

/// Two clients who have an old entry wait for one flight until the method goes out. Returns one of them.
async fn are_released(world: &World) -> Client {
    let [mut first, mut second, mut other] = soon_out(world).await;
    let began = Instant::now();
    first.call(&[("once", 0)]).await;
    second.call(&[("once", 0)]).await;
    assert_eq!(other.reply().await.map(|reply| reply.1), Some(Kind::Exception));
    assert_eq!([first.reply().await, second.reply().await], [Some((1, Kind::Reply, 1)); 2]);
    assert_eq!(began.elapsed(), Duration::from_millis(100));
    second
}

#[tokio::test(start_paused = true)]
async fn who_has_an_old_entry_is_released_when_the_method_is_out_and_the_flight_goes_on() {
    let rules = "[rules.'S.once']\nttl = '1s'\nstale_if_error = '60s'\ntimeout = '1s'";
    let world = World::new(Given { rules, backend: FRAIL, ..Given::default() }).await;
    are_released(&world).await;
    assert_eq!(outcomes(&world, "S.once", "stale_if_error"), 2.0);
    assert_eq!((world.under_way().flights, world.heard().len()), (1, 3), "it goes on, and is not repeated");
}

#[tokio::test(start_paused = true)]
async fn what_the_flight_found_in_the_shared_tier_releases_those_who_wait() {
    let rules = "[rules.'S.once']\nttl = '1s'\nstale_if_error = '60s'\ntimeout = '1s'\ntiers = ['shared']";
    let world = World::new(Given { rules, backend: FRAIL, store: shared(), ..Given::default() }).await;
    let mut client = are_released(&world).await;
    // It is down by now: what a flight finds there answers at once, whatever the flight does further.
    pass(1_000).await;
    let began = Instant::now();
    client.call(&[("once", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_servable_is_not_released() {
    let rules = "[rules.'S.once']\nttl = '1s'\nstale_if_error = '2s'\ntimeout = '5s'";
    let world = World::new(Given { rules, backend: FRAIL, ..Given::default() }).await;
    let [mut client, mut other] = [world.client().await, world.client().await];
    client.call(&[("once", 0)]).await;
    client.reply().await;
    // It is servable when it is asked for, and no more when the method is out.
    other.call(&[("once", 1)]).await;
    pass(2_500).await;
    let began = Instant::now();
    client.call(&[("once", 0)]).await;
    assert_eq!(other.reply().await.map(|reply| reply.1), Some(Kind::Exception));
    assert_eq!(client.reply().await.map(|reply| reply.1), Some(Kind::Exception));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

/// A rule whose entries are old after a second, and answer in place of a backend that takes longer than 200 ms.
fn soft(method: &str, more: &str) -> String {
    format!(
        "[rules.'S.{method}']\nttl = '1s'\nstale_if_error = '60s'\nsoft_timeout = '200ms'\ntimeout = '30s'\n{more}\n"
    )
}

#[tokio::test(start_paused = true)]
async fn a_slow_backend_costs_no_more_than_the_soft_timeout_and_what_it_brings_is_kept() {
    let rules = soft("wait", "");
    let world = World::new(Given { rules: &rules, ..Given::default() }).await;
    let [mut first, mut second] = [world.client().await, world.client().await];
    first.call(&[("wait", 500)]).await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 1)));
    pass(2_000).await;
    let began = Instant::now();
    first.call(&[("wait", 500)]).await;
    pass(150).await;
    second.call(&[("wait", 500)]).await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(began.elapsed(), Duration::from_millis(200));
    assert_eq!(second.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(began.elapsed(), Duration::from_millis(350), "each by its own clock");
    assert_eq!((world.under_way().flights, world.metric("larder_flights")), (1, 1.0));
    pass(200).await;
    first.call(&[("wait", 500)]).await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 2)), "it was kept");
    assert_eq!(began.elapsed(), Duration::from_millis(550));
    let [slow, hits] = ["stale_if_slow", "hit_local"].map(|outcome| outcomes(&world, "S.wait", outcome));
    assert_eq!((slow, hits, world.heard().len()), (2.0, 1.0, 2));
    assert_eq!(world.metric("larder_faults_total"), 0.0, "slowness is no fault");
}

/// A rule that says nothing of slow backends, and whose calls are the same however long they wait.
const SILENT: &str = "[rules.'S.wait']\nttl = '0s'\nstale_if_error = '60s'\nignore = ['1']\n";

#[tokio::test(start_paused = true)]
async fn who_waits_far_longer_than_is_usual_gets_what_is_old_without_being_told_to() {
    let world = World::new(Given { rules: SILENT, ..Given::default() }).await;
    let mut client = world.client().await;
    for (usual, slow) in [(1, 5_000), (200, 5_000)] {
        for _ in 0..40 {
            client.call(&[("wait", usual)]).await;
            client.reply().await;
        }
        let began = Instant::now();
        client.call(&[("wait", slow)]).await;
        assert_eq!(client.reply().await.map(|reply| reply.1), Some(Kind::Reply));
        let waited = began.elapsed().as_millis() as i32;
        assert!((1_000.max(usual * 9)..=1_000.max(usual * 11)).contains(&waited), "{waited} ms");
        pass(10_000).await;
    }
    assert_eq!(outcomes(&world, "S.wait", "stale_if_slow"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn who_knows_too_little_of_what_is_usual_waits() {
    for (answers, more, waits) in [(7, "", true), (8, "soft_timeout = '1h'", true), (8, "", false)] {
        let world = World::new(Given { rules: &format!("{SILENT}{more}"), ..Given::default() }).await;
        let mut client = world.client().await;
        for _ in 0..answers {
            client.call(&[("wait", 1)]).await;
            client.reply().await;
        }
        let began = Instant::now();
        client.call(&[("wait", 5_000)]).await;
        client.reply().await;
        assert_eq!(began.elapsed() == Duration::from_secs(5), waits, "{answers} answers, {more}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_meanwhile_starts_no_second_flight() {
    for ttl in ["0s", "50ms"] {
        let rules = soft("once", "").replace("1s", ttl);
        let world = World::new(Given { rules: &rules, ..Given::default() }).await;
        let mut client = world.client().await;
        client.call(&[("once", 0)]).await;
        client.reply().await;
        pass(1_000).await;
        for _ in 0..20 {
            let began = Instant::now();
            client.call(&[("once", 0)]).await;
            assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
            assert_eq!(began.elapsed(), Duration::from_millis(200));
        }
        assert_eq!((world.heard().len(), world.under_way().flights), (2, 1), "{ttl}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waited_behind_an_older_flight_asks_when_that_has_landed() {
    let rules = soft("wait", "").replace("1s", "0s");
    let world = World::new(Given { rules: &rules, ..Given::default() }).await;
    let [mut first, mut second, mut third] =
        [world.client().await, world.client().await, world.client().await];
    first.call(&[("wait", 100)]).await;
    first.reply().await;
    let began = Instant::now();
    first.call(&[("wait", 100)]).await;
    pass(60).await;
    second.call(&[("wait", 100)]).await;
    third.call(&[("wait", 100)]).await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 2)));
    assert_eq!(
        second.reply().await,
        Some((1, Kind::Reply, 3)),
        "the one before was asked for before it came"
    );
    assert_eq!(third.reply().await, Some((1, Kind::Reply, 3)), "the one for both was not");
    assert_eq!(began.elapsed(), Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn what_the_shared_tier_has_answers_for_a_slow_backend_too() {
    let rules = soft("once", "tiers = ['shared']");
    let world = World::new(Given { rules: &rules, store: shared(), ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("once", 0)]).await;
    client.reply().await;
    pass(2_000).await;
    for _ in 0..10 {
        let began = Instant::now();
        client.call(&[("once", 0)]).await;
        assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
        assert_eq!(began.elapsed(), Duration::from_millis(200));
    }
    assert_eq!((world.heard().len(), world.under_way().flights), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_too_old_by_then_does_not_answer_for_a_slow_backend() {
    let rules = soft("wait", "").replace("60s", "1s");
    let world = World::new(Given { rules: &rules, ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("wait", 500)]).await;
    client.reply().await;
    // It is born when it is asked for: 1,900 ms old when it is asked for again, and 2,100 ms when it would answer.
    pass(1_400).await;
    let began = Instant::now();
    client.call(&[("wait", 500)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 2)));
    assert_eq!(began.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_large_call_goes_on_too() {
    let rules = soft("wait", "");
    let world = World::new(Given { rules: &rules, ..Given::default() }).await;
    let mut client = world.client().await;
    // Its length is how long it waits.
    let large = call_of(SPEECH, Form::Strict, "wait", 1, &text(20_000));
    client.send(&large).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    pass(2_000).await;
    let began = Instant::now();
    client.send(&large).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!((began.elapsed(), world.under_way().flights), (Duration::from_millis(200), 1));
    pass(20_000).await;
    assert_eq!((world.under_way().flights, world.heard().len()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn when_many_flights_are_under_way_old_entries_answer_at_once_and_the_rest_is_refused() {
    let rules = "[rules.'S.hang']\nttl = '60s'\ntimeout = '20s'\n\
                 [rules.'S.once']\nttl = '1s'\nstale_if_error = '60s'\ntimeout = '20s'\n\
                 [flights]\nmax_flights = 4";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("once", 0)]).await;
    client.reply().await;
    pass(2_000).await;
    let mut others = Vec::new();
    for value in 0..5 {
        let mut other = world.client().await;
        other.call(&[("hang", value)]).await;
        others.push(other);
        pass(1).await;
    }
    assert_eq!(others[4].reply().await.map(|reply| reply.1), Some(Kind::Exception));
    let began = Instant::now();
    client.call(&[("once", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!((began.elapsed(), outcomes(&world, "S.once", "stale_if_error")), (Duration::ZERO, 1.0));
    assert_eq!(world.metric("larder_faults_total{listener=\"it\",method=\"S.hang\",fault=\"crowded\"}"), 1.0);
}
