//! The protocol of marks, leases, fills and recovery as a small model, of which every interleaving within some bounds is looked at.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that meets what it does not expect ends there"
)]
#![allow(clippy::print_stderr, reason = "what was found is told where a test is looked at")]

mod explore;
mod gateway;
mod plants;
mod redis;
mod scenes;
mod sentences;
mod world;

use std::fmt::Write as _;

use explore::{Explored, explore};
use plants::Plant;
use scenes::Scene;
use world::{Model, Step};

fn run(scene: Scene, plant: Option<Plant>) -> Explored<Step> {
    explore(&Model { bounds: scene.bounds, fault: scene.fault, plant })
}

/// The sentence that is broken, and the way there.
fn told(explored: &Explored<Step>) -> Option<String> {
    let broken = explored.broken.as_ref()?;
    let mut told = format!("{}\n", broken.sentence);
    broken.trace.iter().for_each(|step| _ = writeln!(told, "    {step:?}"));
    Some(told)
}

/// By how much the bounds are wider than usual: `LARDER_MODEL_DEPTH`.
fn depth() -> u8 {
    std::env::var("LARDER_MODEL_DEPTH").map_or(0, |text| text.parse().expect("LARDER_MODEL_DEPTH"))
}

#[test]
fn no_interleaving_breaks_a_sentence() {
    for scene in Scene::ALL.map(|scene| scene.deeper(depth())) {
        let explored = run(scene, None);
        let (name, Explored { states, depth, .. }) = (scene.name, &explored);
        eprintln!("{name}: {states} states, {depth} steps deep, within {:?}", scene.bounds);
        assert_eq!(told(&explored), None, "{name}");
    }
}

#[test]
fn every_planted_mistake_is_found() {
    let mut missed = Vec::new();
    for (plant, scene) in Plant::ALL {
        match told(&run(scene, Some(plant))) {
            Some(told) => eprintln!("{plant:?}, {}: {told}", scene.name),
            None => missed.push(plant),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
