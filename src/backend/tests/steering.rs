//! What an operator says of endpoints, and that it holds whatever is seen of them.

use super::super::{Ordered, Steer};
use super::world::*;
use crate::dial::Address;

/// How many of so many calls each server gets.
async fn spread(world: &World, backend: &Backend, calls: usize) -> Vec<usize> {
    let before: Vec<usize> = world.servers.iter().map(Server::calls).collect();
    for _ in 0..calls {
        backend.answer(&call(), &once(), None).await.unwrap();
    }
    world.servers.iter().zip(before).map(|(server, before)| server.calls() - before).collect()
}

fn steer(world: &World, backend: &Backend, steer: Steer) {
    backend.reload(Settings { steer, ..world.settings.clone() });
}

fn of(endpoints: &[(u8, Ordered)]) -> Steer {
    let endpoints = endpoints.iter().map(|(n, ordered)| (address(*n), *ordered));
    Steer { endpoints: endpoints.collect(), ..Steer::default() }
}

fn address(n: u8) -> Address {
    format!("10.0.0.{n}:9090").parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_drained_or_out_gets_no_calls_until_the_word_is_taken_back() {
    for ordered in [Ordered::Drained, Ordered::Out] {
        let mut world = World::of(2);
        let backend = world.watch();
        steer(&world, &backend, of(&[(1, ordered)]));
        assert_eq!(spread(&world, &backend, 20).await[0], 0);
        steer(&world, &backend, Steer::default());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(spread(&world, &backend, 100).await[0] > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn where_all_are_drained_calls_still_go_and_where_all_are_out_none_do() {
    let mut world = World::of(2);
    let backend = world.watch();
    steer(&world, &backend, of(&[(1, Ordered::Drained), (2, Ordered::Drained)]));
    assert!(backend.is_down());
    assert_eq!(spread(&world, &backend, 4).await.iter().sum::<usize>(), 4);
    steer(&world, &backend, Steer { declared: Some(Ordered::Out), ..Steer::default() });
    assert!(matches!(backend.answer(&call(), &once(), None).await, Err(Fault::Down { .. })));
    // What is said of one endpoint goes before what is said of all.
    steer(&world, &backend, Steer { declared: Some(Ordered::Out), ..of(&[(2, Ordered::In)]) });
    assert_eq!(spread(&world, &backend, 4).await, [0, 4]);
}

#[tokio::test(start_paused = true)]
async fn what_is_forced_in_gets_calls_although_they_fail() {
    let mut world = World::of(1);
    let backend = world.watch();
    steer(&world, &backend, of(&[(1, Ordered::In)]));
    world.all(Act::Die);
    for _ in 0..20 {
        assert!(backend.answer(&call(), &once(), None).await.is_err());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(!backend.is_down());
    steer(&world, &backend, Steer::default());
    assert!(backend.is_down(), "what was seen of it counts again");
}

#[tokio::test(start_paused = true)]
async fn a_weight_changes_the_share_of_the_calls() {
    let mut world = World::of(2);
    let backend = world.watch();
    let weights = [(address(1), 9)].into();
    steer(&world, &backend, Steer { weights, ..Steer::default() });
    let got = spread(&world, &backend, 200).await;
    assert!(got[0] > got[1] * 4, "{got:?}");
    steer(&world, &backend, Steer::default());
    let got = spread(&world, &backend, 200).await;
    assert!(got[0] < got[1] * 2, "{got:?}");
}
