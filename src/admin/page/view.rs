//! What the page shows, put in order: of what the API tells, what matters first.

use std::collections::BTreeMap;

use crate::admin::answers::{Answers, MethodAnswers};
use crate::admin::outage::Outage;
use crate::admin::status::{BackendStatus, Status};
use crate::metrics::{Source, Sources};

use super::chart::{Chart, Share, shares};
use super::words::{clock, percent};

/// The gateway as it is seen at one moment.
#[derive(Debug)]
pub(super) struct View {
    /// Seconds since 1970.
    now: f64,
    pub(super) status: Status,
    /// Those that last, and then the latest first.
    pub(super) outages: Vec<Outage>,
    /// What answered at each listener.
    pub(super) listeners: Vec<ListenerView>,
    /// What answered calls of each method, the most called first.
    pub(super) methods: Vec<MethodView>,
}

/// Whether orders are carried out that a page gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orders {
    /// Those that show the token.
    WithToken,
    /// All.
    Freely,
    /// None: they come through the socket.
    Elsewhere,
}

/// How the gateway fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// All is well.
    Good,
    /// It is worth a look.
    Notable,
    /// A backend is down.
    Bad,
}

/// What is to be known first, in a sentence that is the same as long as nothing happens: it is read aloud.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Headline {
    pub(super) level: Level,
    pub(super) says: String,
}

/// The last hour of a listener.
#[derive(Debug)]
pub(super) struct ListenerView {
    pub(super) name: String,
    pub(super) chart: Chart,
    pub(super) calls: u64,
    pub(super) shares: Vec<Share>,
}

/// The last hour of a method.
#[derive(Debug)]
pub(super) struct MethodView {
    pub(super) listener: String,
    pub(super) method: String,
    pub(super) calls: u64,
    pub(super) shares: Vec<Share>,
}

impl View {
    pub(super) fn new(status: Status, outages: Vec<Outage>, answers: &Answers) -> Self {
        let mut of_listener: BTreeMap<&str, Vec<Sources>> = BTreeMap::new();
        for method in &answers.methods {
            let slots = of_listener.entry(&method.listener).or_default();
            add(slots, &slots_of(method, answers.slots));
        }
        let listeners = of_listener.into_iter().map(|(name, slots)| {
            let sums = sums(&slots);
            let (chart, calls) = (Chart::new(&slots), sums.iter().sum());
            ListenerView { name: name.to_owned(), chart, calls, shares: shares(&sums) }
        });
        let listeners = listeners.collect();
        let methods = answers.methods.iter().map(|one| {
            let sums = sums(&slots_of(one, answers.slots));
            let (listener, method) = (one.listener.clone(), one.method.clone());
            MethodView { listener, method, calls: sums.iter().sum(), shares: shares(&sums) }
        });
        let mut methods: Vec<_> = methods.collect();
        methods.sort_by_key(|method| std::cmp::Reverse(method.calls));
        Self { now: answers.until_unix_seconds, status, outages, listeners, methods }
    }

    /// What is to be known first.
    pub(super) fn headline(&self) -> Headline {
        let down: Vec<_> = self.status.backends.iter().filter(|backend| backend.down).map(is_down).collect();
        if !down.is_empty() {
            return Headline { level: Level::Bad, says: down.join(" ") };
        }
        let notes = self.notes();
        if notes.is_empty() {
            return Headline { level: Level::Good, says: "All backends answer.".to_owned() };
        }
        Headline { level: Level::Notable, says: notes.join(" ") }
    }

    /// What is worth a look though all backends answer.
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<_> = self.status.backends.iter().flat_map(of_backend).collect();
        let shared = &self.status.shared;
        let lost = shared.servers.iter().filter(|server| server.state != "up").count();
        match (shared.configured, shared.up, lost) {
            (true, false, _) => notes.push("The shared tier is away.".to_owned()),
            (true, true, 1..) => notes.push(format!("Servers of the shared tier that are away: {lost}.")),
            (true, true, 0) | (false, _, _) => {}
        }
        if self.status.config.last_reload != "ok" {
            notes.push("The last reload was refused.".to_owned());
        }
        notes
    }

    /// When the configuration was read, in seconds since 1970.
    pub(super) fn read_at(&self) -> f64 {
        self.now - self.status.config.age_seconds
    }

    /// The outages that are shown.
    pub(super) fn latest_outages(&self) -> &[Outage] {
        self.outages.get(..OUTAGES).unwrap_or(&self.outages)
    }

    /// The methods that are shown.
    pub(super) fn shown(&self) -> &[MethodView] {
        self.methods.get(..MOST).unwrap_or(&self.methods)
    }

    /// How many are not.
    pub(super) fn left_out(&self) -> usize {
        self.methods.len().saturating_sub(MOST)
    }
}

impl Orders {
    /// The word for it in the page.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::WithToken => "token",
            Self::Freely => "freely",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl Level {
    /// The word for it in the page's classes.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Notable => "notable",
            Self::Bad => "bad",
        }
    }
}

fn is_down(backend: &BackendStatus) -> String {
    let name = &backend.name;
    match &backend.outage {
        Some(outage) => format!("{name} is down since {} UTC.", clock(outage.began_unix_seconds)),
        None => format!("{name} is down."),
    }
}

fn of_backend(backend: &BackendStatus) -> Vec<String> {
    let name = &backend.name;
    let out =
        backend.endpoints.iter().filter(|endpoint| endpoint.state != "rotating" && !endpoint.idle).count();
    let mut notes = Vec::new();
    if out > 0 {
        notes.push(format!("{name}: {out} of {} endpoints out.", backend.endpoints.len()));
    }
    if !backend.methods_out.is_empty() {
        notes.push(format!("{name}: out at every endpoint: {}.", backend.methods_out.join(", ")));
    }
    if backend.quarantined > 0 {
        notes.push(format!("{name}: calls in quarantine: {}.", backend.quarantined));
    }
    if let Some(why) = &backend.undiscovered {
        notes.push(format!("{name}: {why}."));
    }
    notes
}

/// The share of an outage's calls that were answered.
pub(super) fn answered(outage: &Outage) -> String {
    percent(&outage.calls.answered(), &outage.calls.all())
}

fn slots_of(method: &MethodAnswers, slots: u64) -> Vec<Sources> {
    let mut of_method = vec![Sources::default(); usize::try_from(slots).unwrap_or_default()];
    for told in &method.sources {
        let Some(source) = Source::ALL.into_iter().find(|source| source.as_str() == told.source) else {
            continue;
        };
        for (sources, calls) in of_method.iter_mut().zip(&told.calls) {
            if let Some(sum) = sources.get_mut(source as usize) {
                *sum += calls;
            }
        }
    }
    of_method
}

fn add(to: &mut Vec<Sources>, slots: &[Sources]) {
    to.resize(slots.len().max(to.len()), Sources::default());
    for (to, from) in to.iter_mut().zip(slots) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
}

fn sums(slots: &[Sources]) -> Sources {
    let mut sums = vec![Sources::default()];
    slots.iter().for_each(|slot| add(&mut sums, &[*slot]));
    sums.first().copied().unwrap_or_default()
}

/// Outages that are shown.
const OUTAGES: usize = 20;
/// Methods that are shown.
const MOST: usize = 40;
