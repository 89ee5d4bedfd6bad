//! What a world's configuration says, one generation after another.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::features::Feature;
use crate::rules::{Backup, Mode, Ms, OnLoss, Rule, Tiers};
use crate::service::Method;
use crate::tags::Tag;
use crate::world::{has, stream};

/// What a configuration says that others may replace, and from when on it is in force.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    pub(crate) at: Ms,
    pub(crate) rules: Vec<Rule>,
    /// The endpoint that the configuration does not list, if there is one.
    pub(crate) absent: Option<usize>,
}

/// What rules are drawn for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) idl: bool,
    pub(crate) shared: bool,
    /// Answers grow old at once, and one often takes back what another said.
    pub(crate) disputed: bool,
    pub(crate) endpoints: usize,
    /// Whether there is a second backend.
    pub(crate) backup: bool,
    /// Whether calls change what is kept.
    pub(crate) writes: bool,
    /// Whether clients say who they are.
    pub(crate) identities: bool,
}

/// All that come one after another.
pub(crate) fn draw(seed: u64, length: Ms, terms: &Terms) -> Vec<Generation> {
    let mut generations = generations(&mut stream(seed, "rules", 0), length, terms);
    soften(&mut stream(seed, "soft", 0), &mut generations);
    lengthen(&mut stream(seed, "exceptions", 0), &mut generations);
    if terms.backup {
        back_up(&mut stream(seed, "backups", 0), &mut generations);
    }
    if terms.writes {
        name(&mut stream(seed, "writes", 0), &mut generations, terms);
    }
    if terms.identities {
        generations.iter_mut().for_each(|generation| generation.rules.push(identity(terms)));
    }
    move_endpoints(&mut stream(seed, "moves", 0), &mut generations, terms.endpoints);
    generations
}

fn generations(random: &mut StdRng, length: Ms, terms: &Terms) -> Vec<Generation> {
    let mut generations = vec![Generation { at: 0, rules: rules(random, terms), absent: None }];
    if has(random, Feature::Reloads, 40) {
        for _ in 0..random.random_range(1..=3) {
            let at = random.random_range(1_000..length);
            let mut next = generations.last().unwrap().rules.clone();
            let fresh = rules(random, terms);
            for (rule, other) in next.iter_mut().zip(fresh) {
                if random.random_bool(0.4) {
                    *rule = other;
                }
            }
            generations.push(Generation { at, rules: next, absent: None });
        }
        generations.sort_by_key(|generation| generation.at);
    }
    generations
}

fn rules(random: &mut StdRng, terms: &Terms) -> Vec<Rule> {
    let mut look = cached(random, Method::Look, terms);
    let modes = Feature::Modes.is_on();
    look.mode = *[Mode::Observe, Mode::Off].choose(random).unwrap();
    look.timeout = random.random_bool(0.5).then(|| random.random_range(100..800));
    if !modes {
        look = Rule { ttl: None, ..Rule::of(Method::Look) };
    }
    let again = Rule {
        idempotent: true,
        timeout: random.random_bool(0.5).then(|| random.random_range(300..2_000)),
        fallback: terms.idl && random.random_bool(0.3),
        ..Rule::of(Method::Again)
    };
    let mut all = vec![cached(random, Method::Get, terms), cached(random, Method::Find, terms), look, again];
    if !terms.idl {
        all.push(Rule { oneway: true, ..Rule::of(Method::Tell) });
    }
    all
}

/// What is said of the call by which a client says who it is: its answer opens a session in any outage.
fn identity(terms: &Terms) -> Rule {
    let tiers = if terms.shared { Tiers::Both } else { Tiers::Local };
    Rule { ttl: Some(0), error: 3_600_000, tiers, ..Rule::of(Method::Ugi) }
}

fn cached(random: &mut StdRng, method: Method, terms: &Terms) -> Rule {
    let exceptions = Feature::Exceptions.is_on();
    let ttl = *[0, 50, 500, 2_000, 10_000, 60_000].choose(random).unwrap();
    let removals = Feature::Removals.is_on();
    let kept = if exceptions && (random.random_bool(0.4) || !removals) { vec![1] } else { Vec::new() };
    let failures = if exceptions && (random.random_bool(0.5) || !removals) { vec![2] } else { Vec::new() };
    let rule = Rule {
        ttl: Some(ttl),
        jitter: if has(random, Feature::Jitter, 30) { random.random_range(1..=50) } else { 0 },
        revalidate: *[0, 0, 300, 5_000].choose(random).unwrap(),
        error: *[0, 2_000, 20_000, 3_600_000].choose(random).unwrap(),
        timeout: random.random_bool(0.6).then(|| random.random_range(200..2_000)),
        fallback: terms.idl && random.random_bool(0.2),
        kept_exceptions: kept,
        exception_ttl: *[200, 2_000].choose(random).unwrap(),
        failure_exceptions: failures,
        revision: random.random_range(0..2),
        tiers: if terms.shared {
            *[Tiers::Local, Tiers::Shared, Tiers::Both, Tiers::Both].choose(random).unwrap()
        } else {
            Tiers::Local
        },
        reply_max: if has(random, Feature::Evictions, 20) { 300 } else { 1 << 20 },
        ..Rule::of(method)
    };
    if !terms.disputed {
        return rule;
    }
    Rule {
        ttl: Some(*[0, 50].choose(random).unwrap()),
        revalidate: 5_000,
        timeout: Some(2_000),
        kept_exceptions: Vec::new(),
        failure_exceptions: Vec::new(),
        ..rule
    }
}

/// Takes an endpoint off the list in some generations, where another is left.
fn move_endpoints(random: &mut StdRng, generations: &mut [Generation], endpoints: usize) {
    if endpoints < 2 || !has(random, Feature::Moves, 60) {
        return;
    }
    for generation in generations {
        generation.absent = random.random_bool(0.6).then(|| random.random_range(0..endpoints));
    }
}

/// Has the kept exceptions of some rules answer in outages.
fn lengthen(random: &mut StdRng, generations: &mut [Generation]) {
    for method in [Method::Get, Method::Find] {
        let error = *[0, 2_000, 20_000].choose(random).unwrap();
        let rules = generations.iter_mut().flat_map(|generation| &mut generation.rules);
        rules.filter(|rule| rule.method == method).for_each(|rule| rule.exception_error = error);
    }
}

/// Names what rules keep, and has calls change it; a rule that stays as it is keeps its names.
fn name(random: &mut StdRng, generations: &mut [Generation], terms: &Terms) {
    let key = if terms.idl && random.random_bool(0.3) { Tag::ReplyKey } else { Tag::Key };
    let choices = [vec![key], vec![key], vec![key, Tag::Other], vec![Tag::Other]];
    let losses = [None, None, Some(OnLoss::Serve), Some(OnLoss::Soft), Some(OnLoss::Hard)];
    for method in [Method::Get, Method::Find] {
        let (tags, loss) = (choices.choose(random).unwrap(), *losses.choose(random).unwrap());
        let rules = generations.iter_mut().flat_map(|generation| &mut generation.rules);
        for rule in rules.filter(|rule| rule.method == method) {
            (rule.tags, rule.loss) = (tags.clone(), loss);
        }
    }
    for method in [Method::Add, Method::Put, Method::Tell] {
        let invalidates =
            if method == Method::Put && random.random_bool(0.5) { vec![Tag::Other] } else { vec![Tag::Key] };
        let settle = *[0, 50, 1_000].choose(random).unwrap();
        let holds = random.random_bool(0.5);
        if method == Method::Tell && random.random_bool(0.5) {
            continue;
        }
        for Generation { rules, .. } in &mut *generations {
            let known = rules.iter().position(|rule| rule.method == method).map(|known| rules.remove(known));
            let rule = known.unwrap_or_else(|| Rule::of(method));
            rules.push(Rule { invalidates: invalidates.clone(), settle, holds, ..rule });
        }
    }
}

/// Gives some rules a backup; a rule that stays as it is keeps it.
fn back_up(random: &mut StdRng, generations: &mut [Generation]) {
    for method in [Method::Get, Method::Find, Method::Again] {
        let either = [Backup::BeforeStale, Backup::AfterStale];
        let backup = random.random_bool(0.8).then(|| *either.choose(random).unwrap());
        let backup = backup.map(|backup| if method == Method::Again { Backup::AfterStale } else { backup });
        let rules = generations.iter_mut().flat_map(|generation| &mut generation.rules);
        rules.filter(|rule| rule.method == method).for_each(|rule| rule.backup = backup);
    }
}

/// Gives some rules a soft timeout; a rule that stays as it is keeps it.
fn soften(random: &mut StdRng, generations: &mut [Generation]) {
    if !has(random, Feature::SoftTimeouts, 50) {
        return;
    }
    for method in [Method::Get, Method::Find] {
        let soft = random.random_bool(0.7).then(|| *[20, 100, 300].choose(random).unwrap());
        let rules = generations.iter_mut().flat_map(|generation| &mut generation.rules);
        rules.filter(|rule| rule.method == method).for_each(|rule| rule.soft = soft);
    }
}
