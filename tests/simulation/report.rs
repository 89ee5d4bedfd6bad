//! What is told of a world that fails: the sentence that was not kept, and as little of the history as still shows it.

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Once;

use crate::history::{Event, What, text};
use crate::judge::{Complaint, judge};
use crate::stage;
use crate::world::World;

thread_local! {
    /// What has panicked in the world that this thread runs.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes panics of tasks, which a runtime keeps to itself.
pub(crate) fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            before(panic);
        }));
    });
}

/// Runs a world, and adds the panics to what happened.
pub(crate) fn run(world: &World) -> Vec<Event> {
    PANICS.take();
    let mut events = stage::run(world);
    let at = events.last().map_or(0, |event| event.at);
    let panics = PANICS.take().into_iter();
    events.extend(panics.map(|what| Event { at, what: What::Panicked { what } }));
    events
}

/// Tells what is wrong with a world, and how to see it again.
pub(crate) fn report(world: &World, events: &[Event], complaints: &[Complaint]) -> String {
    let first = &complaints[0];
    if std::env::var("LARDER_BRIEF").is_ok() {
        let told =
            complaints.iter().map(|one| format!("seed {}: {:?}: {}\n", world.seed, one.sentence, one.why));
        return told.collect();
    }
    let small = shrink(world, first);
    let small_events = run(&small);
    let found = judge(&small, &small_events);
    let shown = found.iter().find(|complaint| complaint.sentence == first.sentence).unwrap_or(first);
    let mut out = String::new();
    let _ = writeln!(out, "seed {}: {:?}: {}", world.seed, first.sentence, first.why);
    let _ = writeln!(out, "  again: LARDER_SEED={} cargo test --test simulation every_world", world.seed);
    let others: Vec<String> = complaints.iter().skip(1).map(|one| format!("{:?}", one.sentence)).collect();
    if !others.is_empty() {
        let _ = writeln!(out, "  and {} more: {}", others.len(), others.join(", "));
    }
    let _ = writeln!(
        out,
        "  shrunk to {} clients, {} calls, {} endpoints, {} incidents: {}",
        small.clients.len(),
        small.clients.iter().map(|client| client.steps.len()).sum::<usize>(),
        small.endpoints.len(),
        small.incidents.len(),
        shown.why
    );
    let concerned = small_events.iter().filter(|event| event.at <= shown.at && concerns(event, shown));
    let lines = text(concerned);
    let lines: Vec<&str> = lines.lines().collect();
    for line in &lines[lines.len().saturating_sub(LINES_MOST)..] {
        let _ = writeln!(out, "    {}", line.chars().take(WIDTH_MOST).collect::<String>());
    }
    if let Ok(path) = std::env::var("LARDER_HISTORY") {
        std::fs::write(&path, text(events)).unwrap();
        let _ = writeln!(out, "  the whole history is in {path}");
    }
    out
}

/// Whether an event is of interest to who reads a complaint.
fn concerns(event: &Event, complaint: &Complaint) -> bool {
    let wire = |wire: &u64| complaint.wires.contains(wire);
    let key = |key: i64| complaint.key == Some(key);
    match &event.what {
        What::Called { wire: on, asked, .. } | What::Began { wire: on, asked, .. } => {
            wire(on) || key(asked.key)
        }
        What::Opened { wire: on, .. }
        | What::Replied { wire: on, .. }
        | What::GaveUp { wire: on, .. }
        | What::Deaf { wire: on, .. }
        | What::HalfClosed { wire: on, .. }
        | What::Left { wire: on, .. }
        | What::Ended { wire: on, .. }
        | What::Passed { wire: on, .. }
        | What::Answered { wire: on, .. }
        | What::Silent { wire: on, .. }
        | What::Closed { wire: on, .. }
        | What::Network { wire: on, .. } => wire(on),
        What::Rules { .. }
        | What::Mood { .. }
        | What::Tier { .. }
        | What::Ordered { .. }
        | What::Obeyed { .. }
        | What::Panicked { .. }
        | What::Quiet => true,
        What::UnderWay { .. } => complaint.wires.is_empty(),
    }
}

/// A smaller world that breaks the same sentence: without clients, incidents, moods and calls that it does not need.
fn shrink(world: &World, complaint: &Complaint) -> World {
    let mut small = world.clone();
    let mut tries = TRIES_MOST;
    let mut fails = |world: &World| {
        if tries == 0 {
            return false;
        }
        tries -= 1;
        judge(world, &run(world)).iter().any(|found| found.sentence == complaint.sentence)
    };
    for index in (0..small.clients.len()).rev() {
        attempt(&mut small, &mut fails, |world| drop(world.clients.remove(index)));
    }
    attempt(&mut small, &mut fails, |world| world.incidents.clear());
    attempt(&mut small, &mut fails, |world| world.generations.truncate(1));
    attempt(&mut small, &mut fails, |world| world.orders.clear());
    for index in 0..small.endpoints.len() {
        attempt(&mut small, &mut fails, |world| world.endpoints[index].moods.clear());
    }
    for index in 0..small.clients.len() {
        for share in [2, 4, 8] {
            attempt(&mut small, &mut fails, |world| {
                let steps = &mut world.clients[index].steps;
                let cut = steps.len() / share;
                steps.truncate(steps.len() - cut);
            });
        }
    }
    small
}

fn attempt(world: &mut World, fails: &mut impl FnMut(&World) -> bool, change: impl FnOnce(&mut World)) {
    let mut smaller = world.clone();
    change(&mut smaller);
    if fails(&smaller) {
        *world = smaller;
    }
}

const TRIES_MOST: usize = 60;
const LINES_MOST: usize = 60;
const WIDTH_MOST: usize = 220;
