//! The history, sorted by what it is about: calls, the replies that backends gave, and connections.

use std::collections::BTreeMap;

use super::changes::{self, Change, Ordered};
use super::congestion::Congestion;
use super::rotation::TROUBLE_LASTS;
use crate::clients::Manner;
use crate::history::{Did, Event, Moment, What};
use crate::rules::Rule;
use crate::service::{Asked, Content, Method, Returns};
use crate::thrift::Kind;
use crate::world::World;

/// All that the judge asks the history for.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) world: &'a World,
    pub(crate) events: &'a [Event],
    /// The rules, from when on they were in force.
    pub(crate) generations: Vec<(Moment, Vec<Rule>)>,
    pub(crate) lines: BTreeMap<u64, Line>,
    /// What backends were asked, by the serial of each.
    pub(crate) attempts: BTreeMap<i64, Attempt>,
    pub(crate) quiet: Moment,
    /// When the network first did something to a connection.
    pub(crate) disturbed: BTreeMap<u64, Moment>,
    /// When it did, to any between gateways and endpoints.
    pub(crate) befell: Vec<Moment>,
    /// When anything befell an endpoint, or the way there.
    pub(crate) troubles: Vec<Moment>,
    /// When an endpoint closed a connection.
    pub(crate) closed: Vec<Moment>,
    pub(crate) orders: BTreeMap<usize, Ordered>,
    /// What was changed, and what was declared wrong.
    pub(crate) changes: Vec<Change>,
}

/// A client's connection.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) wire: u64,
    pub(crate) client: usize,
    pub(crate) gateway: usize,
    pub(crate) calls: Vec<Call>,
    pub(crate) replies: Vec<Reply>,
    /// The other side ended it, or it broke.
    pub(crate) ended: Option<(Moment, &'static str)>,
    pub(crate) left: Option<Moment>,
    pub(crate) gave_up: Vec<Moment>,
    pub(crate) deaf: Option<Moment>,
    pub(crate) half_closed: Option<Moment>,
    pub(crate) disturbed: Vec<Moment>,
    /// When its client's socket could take no more.
    pub(crate) full: Congestion,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Moment,
    pub(crate) asked: Asked,
    pub(crate) kind: Kind,
    pub(crate) seqid: i32,
    /// When the gateway had read its first byte, and its last.
    pub(crate) arriving: Option<Moment>,
    /// When it had read as much as its number stands in.
    pub(crate) numbered: Option<Moment>,
    pub(crate) arrived: Option<Moment>,
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) at: Moment,
    pub(crate) name: String,
    pub(crate) seqid: i32,
    pub(crate) content: Content,
    /// When the gateway wrote its first byte.
    pub(crate) written: Moment,
}

/// One call at a backend.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) endpoint: usize,
    pub(crate) gateway: usize,
    pub(crate) wire: u64,
    pub(crate) asked: Asked,
    pub(crate) kind: Kind,
    pub(crate) began: Moment,
    /// When the gateway wrote its first byte.
    pub(crate) sent: Moment,
    pub(crate) answer: Option<Answer>,
}

/// What a backend answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) content: Content,
    /// Whether it is a proper reply to the call.
    pub(crate) honest: bool,
    pub(crate) size: usize,
    /// When the gateway had read its last byte.
    pub(crate) read: Option<Moment>,
}

/// When the gateway had passed so many bytes of a stream.
#[derive(Debug, Default)]
struct Progress(Vec<(usize, Moment)>);

impl Progress {
    fn add(&mut self, bytes: usize, at: Moment) {
        let before = self.0.last().map_or(0, |(sum, _)| *sum);
        self.0.push((before + bytes, at));
    }

    /// When more than `offset` bytes had passed.
    fn beyond(&self, offset: usize) -> Option<Moment> {
        let index = self.0.partition_point(|(sum, _)| *sum <= offset);
        self.0.get(index).map(|(_, at)| *at)
    }
}

impl<'a> Record<'a> {
    pub(crate) fn of(world: &'a World, events: &'a [Event]) -> Self {
        let mut progress: BTreeMap<(u64, u8), Progress> = BTreeMap::new();
        for Event { at, what } in events {
            if let What::Passed { wire, did, bytes } = what {
                progress.entry((*wire, side(*did))).or_default().add(*bytes, *at);
            }
        }
        let mut record = Self {
            world,
            events,
            generations: Vec::new(),
            lines: BTreeMap::new(),
            attempts: BTreeMap::new(),
            quiet: 0,
            disturbed: BTreeMap::new(),
            befell: Vec::new(),
            troubles: Vec::new(),
            closed: Vec::new(),
            orders: BTreeMap::new(),
            changes: Vec::new(),
        };
        let beyond = |wire: u64, did: Did, offset: usize| progress.get(&(wire, side(did)))?.beyond(offset);
        for event in events {
            record.take(event, &beyond);
        }
        record.changes = changes::all(&record);
        record
    }

    fn take(&mut self, event: &Event, beyond: &dyn Fn(u64, Did, usize) -> Option<Moment>) {
        let at = event.at;
        match &event.what {
            What::Rules { rules, .. } => self.generations.push((at, rules.clone())),
            What::Opened { client, wire, gateway } => {
                let line = Line { wire: *wire, client: *client, gateway: *gateway, ..Line::default() };
                self.lines.insert(*wire, line);
            }
            What::Called { wire, asked, kind, seqid, bytes, .. } => {
                let arriving = beyond(*wire, Did::ReadFromClient, bytes.0);
                let numbered = beyond(*wire, Did::ReadFromClient, (bytes.0 + HEADER).min(bytes.1 - 1));
                let arrived = beyond(*wire, Did::ReadFromClient, bytes.1 - 1);
                let call =
                    Call { at, asked: *asked, kind: *kind, seqid: *seqid, arriving, numbered, arrived };
                self.line(*wire).calls.push(call);
            }
            What::Replied { wire, name, seqid, content, bytes, .. } => {
                let written = beyond(*wire, Did::WroteToClient, bytes.0).unwrap();
                let (name, content) = (name.clone(), content.clone());
                self.line(*wire).replies.push(Reply { at, name, seqid: *seqid, content, written });
            }
            What::GaveUp { wire, .. } => self.line(*wire).gave_up.push(at),
            What::Deaf { wire, .. } => self.line(*wire).deaf = Some(at),
            What::HalfClosed { wire, .. } => self.line(*wire).half_closed = Some(at),
            What::Left { wire, .. } => self.line(*wire).left = Some(at),
            What::Ended { wire, how, .. } => self.line(*wire).ended = Some((at, how)),
            What::Began { endpoint, wire, gateway, asked, kind, serial, bytes, .. } => {
                let sent = beyond(*wire, Did::WroteToBackend, bytes.0).unwrap();
                let attempt = Attempt {
                    endpoint: *endpoint,
                    gateway: *gateway,
                    wire: *wire,
                    asked: *asked,
                    kind: *kind,
                    began: at,
                    sent,
                    answer: None,
                };
                self.attempts.insert(*serial, attempt);
            }
            What::Answered { wire, serial, content, honest, size, bytes, .. } => {
                let read = beyond(*wire, Did::ReadFromBackend, bytes.1 - 1);
                let answer = Answer { content: content.clone(), honest: *honest, size: *size, read };
                self.attempts.get_mut(serial).unwrap().answer = Some(answer);
                if is_trouble(*honest, content) {
                    self.troubles.push(at);
                }
            }
            What::Network { wire, .. } => self.disturb(*wire, at),
            What::Silent { serial, .. } => self.fall_silent(*serial, at),
            What::Mood { .. } => self.troubles.push(at),
            What::Closed { .. } => self.closed.push(at),
            What::Quiet => self.quiet = at,
            What::Passed { wire, did, bytes } => {
                if let Some(line) = self.lines.get_mut(wire) {
                    line.full.pass(at, *did, *bytes, self.world.weather.clients.buffer);
                }
            }
            What::Ordered { order, gateway, wrong, kind } => {
                let ordered = Ordered { at, gateway: *gateway, wrong: *wrong, kind: *kind, obeyed: None };
                self.orders.insert(*order, ordered);
            }
            What::Obeyed { order, reach } => {
                self.orders.get_mut(order).unwrap().obeyed = Some((at, *reach));
            }
            What::Tier { .. } | What::UnderWay { .. } | What::Panicked { .. } => {}
        }
    }

    /// Notes that a call is not answered. Of a oneway nothing else is to be expected.
    fn fall_silent(&mut self, serial: i64, at: Moment) {
        if self.attempts.get(&serial).is_none_or(|one| one.asked.method.returns() != Returns::Nothing) {
            self.troubles.push(at);
        }
    }

    /// Notes that the network did something to a connection.
    fn disturb(&mut self, wire: u64, at: Moment) {
        match self.lines.get_mut(&wire) {
            Some(line) => line.disturbed.push(at),
            None => self.befell.push(at),
        }
        self.disturbed.entry(wire).or_insert(at);
        self.troubles.push(at);
    }

    fn line(&mut self, wire: u64) -> &mut Line {
        self.lines.get_mut(&wire).unwrap()
    }

    /// The rules for a method that were in force at any moment from `from` to `until`; none where a generation had none.
    pub(crate) fn rules(&self, method: Method, from: Moment, until: Moment) -> Vec<Option<&Rule>> {
        let ends = self.generations.iter().skip(1).map(|(at, _)| *at).chain([Moment::MAX]);
        let in_force =
            self.generations.iter().zip(ends).filter(|((at, _), end)| *at <= until && *end >= from);
        in_force.map(|((_, rules), _)| rules.iter().find(|rule| rule.method == method)).collect()
    }

    /// Whether an attempt was made at the backup.
    pub(crate) fn is_backup(&self, attempt: &Attempt) -> bool {
        self.world.backup() == Some(attempt.endpoint)
    }

    pub(crate) fn manner(&self, line: &Line) -> Manner {
        self.world.clients.iter().find(|client| client.number == line.client).unwrap().manner
    }

    /// Whether a backend may have failed in a time that bears on a call from `from` to `until`.
    pub(crate) fn troubled(&self, from: Moment, until: Moment) -> bool {
        let since = from.saturating_sub(TROUBLE_LASTS);
        self.in_need(from, until) || self.closed.iter().any(|at| (since..=until).contains(at))
    }

    /// The same, but that an endpoint closed a connection is soon forgotten: it is not out for that.
    pub(crate) fn in_need(&self, from: Moment, until: Moment) -> bool {
        let (long, short) = (from.saturating_sub(TROUBLE_LASTS), from.saturating_sub(CLOSE_LASTS));
        let slow = |attempt: &Attempt| (long..=until).contains(&attempt.sent) && attempt.is_slow();
        // Connections that are not taken leave no trace in the history.
        let turns_away = self.world.endpoints.iter().any(|endpoint| endpoint.habits.one_at_a_time);
        turns_away
            || self.troubles.iter().any(|at| (long..=until).contains(at))
            || self.closed.iter().any(|at| (short..=until).contains(at))
            || self.attempts.values().any(slow)
    }
}

impl Attempt {
    /// When nothing more was to be expected of it. Nothing answers a oneway: the beginning of its handler stands for that.
    pub(crate) fn over(&self) -> Option<Moment> {
        match self.asked.method.returns() {
            Returns::Nothing => Some(self.began),
            Returns::Item | Returns::Number | Returns::Void => self.answer.as_ref()?.read,
        }
    }

    /// Whether it may have cost its call, or those behind it, their time.
    pub(crate) fn is_slow(&self) -> bool {
        self.over().is_none_or(|over| over > self.sent + SLOW)
    }
}

impl Line {
    /// The calls that are answered, each with its reply: the next reply belongs to the oldest call that has none.
    pub(crate) fn pairs(&self, silent: impl Fn(&Call) -> bool) -> Vec<(&Call, Option<&Reply>)> {
        let mut replies = self.replies.iter();
        let two_way = self.calls.iter().filter(|call| !silent(call));
        two_way.map(|call| (call, replies.next())).collect()
    }
}

/// Whether an answer is none that its client has asked for.
fn is_trouble(honest: bool, content: &Content) -> bool {
    !honest || matches!(content, Content::Exception { .. } | Content::Declared { .. } | Content::Empty)
}

fn side(did: Did) -> u8 {
    match did {
        Did::ReadFromClient => 0,
        Did::WroteToClient => 1,
        Did::ReadFromBackend => 2,
        Did::WroteToBackend => 3,
        Did::ClientRead => 4,
    }
}

/// Bytes within which the number of any call of the sample service stands.
const HEADER: usize = 30;
/// How long a call may be about that was sent on a connection as it was closed.
const CLOSE_LASTS: Moment = 5_000_000;
/// An answer that takes longer than this may have cost a call its time.
const SLOW: Moment = 90_000;
