//! Every state that can be reached from a first one, the nearest first, so that the way to what is wrong is the shortest.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is explored.
pub(crate) trait System {
    /// A state.
    type State: Hash;
    /// What leads from one state to the next.
    type Step: Copy + fmt::Debug;

    /// Where it begins.
    fn first(&self) -> Self::State;
    /// All that may happen next.
    fn steps(&self, state: &Self::State) -> Vec<Self::Step>;
    /// The state after it has.
    fn after(&self, state: &Self::State, step: Self::Step) -> Self::State;
    /// The sentence that a state breaks.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;
}

/// What was found.
pub(crate) struct Explored<Step> {
    /// States that differ.
    pub states: usize,
    /// Steps of the longest of the shortest ways to them.
    pub depth: usize,
    /// The first sentence that was broken, and the way there.
    pub broken: Option<Broken<Step>>,
}

/// A sentence that does not hold, and the shortest way to where it does not.
pub(crate) struct Broken<Step> {
    /// The sentence.
    pub sentence: &'static str,
    /// The way.
    pub trace: Vec<Step>,
}

/// Looks at all states of `system`, or at those up to the first that is wrong.
pub(crate) fn explore<S: System>(system: &S) -> Explored<S::Step> {
    let mut search = Search { seen: HashSet::new(), ways: Vec::new() };
    let mut depth = 0;
    let first = system.first();
    let broken =
        |search: &Search<S::Step>, way, sentence| Some(Broken { sentence, trace: search.trace(way) });
    let wrong = system.broken(&first).and_then(|sentence| broken(&search, NOWHERE, sentence));
    let mut edge =
        search.admit(&first, NOWHERE, None).map(|way| (first, way)).into_iter().collect::<Vec<_>>();
    if wrong.is_some() {
        return Explored { states: 1, depth, broken: wrong };
    }
    while !edge.is_empty() {
        let mut next = Vec::new();
        for (state, from) in edge {
            for step in system.steps(&state) {
                let after = system.after(&state, step);
                let Some(way) = search.admit(&after, from, Some(step)) else { continue };
                if let Some(sentence) = system.broken(&after) {
                    let broken = broken(&search, way, sentence);
                    return Explored { states: search.seen.len(), depth: depth + 1, broken };
                }
                next.push((after, way));
            }
        }
        depth += usize::from(!next.is_empty());
        edge = next;
    }
    Explored { states: search.seen.len(), depth, broken: None }
}

/// What was seen, by its hash: of some million states two share one of 64 bits once in a million runs.
struct Search<Step> {
    seen: HashSet<u64>,
    /// From where each was reached first, and how.
    ways: Vec<(u32, Option<Step>)>,
}

const NOWHERE: u32 = u32::MAX;

impl<Step: Copy> Search<Step> {
    /// Where the way to a state is noted, if it is new.
    fn admit(&mut self, state: &impl Hash, from: u32, step: Option<Step>) -> Option<u32> {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        self.seen.insert(hasher.finish()).then(|| {
            self.ways.push((from, step));
            (self.ways.len() - 1) as u32
        })
    }

    fn trace(&self, mut way: u32) -> Vec<Step> {
        let mut trace = Vec::new();
        while let Some((from, step)) = self.ways.get(way as usize) {
            trace.extend(*step);
            way = *from;
        }
        trace.reverse();
        trace
    }
}
