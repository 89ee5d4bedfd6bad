//! What the page shows, put in order: of what the API tells, what matters first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::admin::answers::{Answers, MethodAnswers};
use crate::admin::outage::Outage;
use crate::admin::status::{BackendStatus, Status};
use crate::metrics::Sources;

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
        let mut methods = Vec::new();
        for one in &answers.methods {
            let slots = slots_of(one, answers.slots);
            methods.push(MethodView::new(one, &sums(&slots)));
            let of_all =
                of_listener.entry(&one.listener).or_insert_with(|| vec![Sources::default(); slots.len()]);
            of_all.iter_mut().zip(&slots).for_each(|(all, slot)| add(all, slot));
        }
        methods.sort_by_key(|method| Reverse(method.calls));
        let listeners =
            of_listener.into_iter().map(|(name, slots)| ListenerView::new(name, &slots)).collect();
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

impl ListenerView {
    fn new(name: &str, slots: &[Sources]) -> Self {
        let sums = sums(slots);
        let (chart, calls) = (Chart::new(slots), sums.iter().sum());
        Self { name: name.to_owned(), chart, calls, shares: shares(&sums) }
    }
}

impl MethodView {
    fn new(MethodAnswers { listener, method, .. }: &MethodAnswers, sums: &Sources) -> Self {
        let (listener, method) = (listener.clone(), method.clone());
        Self { listener, method, calls: sums.iter().sum(), shares: shares(sums) }
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

/// The calls of each slot.
fn slots_of(method: &MethodAnswers, slots: u64) -> Vec<Sources> {
    let mut of_method = vec![Sources::default(); usize::try_from(slots).unwrap_or_default()];
    for told in &method.sources {
        for (sources, calls) in of_method.iter_mut().zip(&told.calls) {
            if let Some(sum) = sources.get_mut(told.source as usize) {
                *sum += calls;
            }
        }
    }
    of_method
}

fn add(to: &mut Sources, sources: &Sources) {
    to.iter_mut().zip(sources).for_each(|(to, calls)| *to += calls);
}

fn sums(slots: &[Sources]) -> Sources {
    slots.iter().fold(Sources::default(), |mut sums, slot| {
        add(&mut sums, slot);
        sums
    })
}

/// Outages that are shown.
const OUTAGES: usize = 20;
/// Methods that are shown.
const MOST: usize = 40;
