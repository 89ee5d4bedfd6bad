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
mod sentences;
mod world;

use explore::{Explored, explore};
use plants::Plant;
use world::{Bounds, Fault, Model, Step};

/// What is looked at.
#[derive(Clone, Copy, Debug)]
struct Scene {
    name: &'static str,
    fault: Option<Fault>,
    bounds: Bounds,
}

fn run(scene: &Scene, plant: Option<Plant>) -> Explored<Step> {
    explore(&Model { bounds: scene.bounds, fault: scene.fault, plant })
}

fn told(explored: &Explored<Step>) -> Option<String> {
    let broken = explored.broken.as_ref()?;
    let steps = broken.trace.iter().map(|step| format!("    {step:?}\n"));
    Some(format!("{}\n{}", broken.sentence, steps.collect::<String>()))
}

#[test]
fn no_interleaving_breaks_a_sentence() {
    for scene in SCENES {
        let started = std::time::SystemTime::now();
        let explored = run(&scene, None);
        let Explored { states, depth, .. } = explored;
        eprintln!(
            "{:<10} {states:>8} states, {depth} steps deep, {:?}: {:?}",
            scene.name,
            scene.bounds,
            started.elapsed()
        );
        if let Some(told) = told(&explored) {
            eprintln!("{}: {told}", scene.name);
        }
    }
}

#[test]
fn every_planted_mistake_is_found() {
    let mut missed = Vec::new();
    for plant in Plant::ALL {
        let found = SCENES.iter().find_map(|scene| told(&run(scene, Some(plant))).map(|told| (scene, told)));
        match found {
            Some((scene, told)) => eprintln!("{plant:?} in {}: {told}", scene.name),
            None => missed.push(plant),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// Nothing may happen.
const NOTHING: Bounds =
    Bounds { ticks: 0, marks: 0, fetches: 0, reads: 0, restarts: 0, losses: 0, replications: 0, faults: 0 };

const SCENES: [Scene; 7] = [
    Scene { name: "leases", fault: None, bounds: Bounds { ticks: 3, marks: 1, losses: 1, ..NOTHING } },
    Scene { name: "fills", fault: None, bounds: Bounds { marks: 1, fetches: 2, reads: 1, ..NOTHING } },
    Scene {
        name: "failover",
        fault: Some(Fault::Failover),
        bounds: Bounds { marks: 1, ticks: 2, replications: 1, faults: 1, ..NOTHING },
    },
    Scene {
        name: "restart in a failover",
        fault: Some(Fault::Failover),
        bounds: Bounds { marks: 1, reads: 1, restarts: 1, replications: 1, faults: 1, ..NOTHING },
    },
    Scene {
        name: "marks in a failover",
        fault: Some(Fault::Failover),
        bounds: Bounds { marks: 2, fetches: 1, replications: 1, faults: 1, ..NOTHING },
    },
    Scene {
        name: "flush",
        fault: Some(Fault::Flush),
        bounds: Bounds { marks: 1, fetches: 1, reads: 1, restarts: 1, faults: 1, ..NOTHING },
    },
    Scene {
        name: "empty",
        fault: Some(Fault::Empty),
        bounds: Bounds { ticks: 2, marks: 1, fetches: 0, reads: 0, faults: 1, ..NOTHING },
    },
];
