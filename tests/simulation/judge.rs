//! The judge: an independent model of the promise. It sees the history alone, and knows nothing of how the gateway decides.

mod ages;
mod backups;
mod changes;
mod congestion;
mod effects;
mod leftovers;
mod members;
mod outage;
mod record;
mod replies;
mod retries;
mod rotation;
mod twins;
mod unseen;
mod waits;

use crate::history::Event;
use crate::world::World;

use record::Record;

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub(crate) struct Complaint {
    /// Which sentence of the promise.
    pub(crate) sentence: Sentence,
    pub(crate) why: String,
    /// When it showed.
    pub(crate) at: u64,
    /// The connections and keys concerned: what a reader wants to see of the history.
    pub(crate) wires: Vec<u64>,
    pub(crate) key: Option<i64>,
}

/// The promise, sentence by sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sentence {
    /// Every two-way call is answered exactly once, or its connection is closed; a oneway call never is.
    AnsweredOnce,
    /// Replies come in the order of the calls, with their numbers and names.
    InOrder,
    /// A reply is one that a backend gave for the same key to who has said that he is the same, or the rule's fallback, or a named fault.
    RightReply,
    /// A reply that no rule caches is that of a backend to this very call.
    PassedUntouched,
    /// What was kept is within its window when it is written.
    InWindow,
    /// What a flight brought was born after the call's arrival, less the ttl.
    YoungFlight,
    /// What was removed stays removed, and a younger reply is never followed by an older one.
    NoReturn,
    /// A failure is remembered for nobody.
    NoFailureKept,
    /// A gateway that has said that something is changed, or taken for wrong, answers with nothing that was asked before.
    OwnChangeSeen,
    /// Nor does any other that may answer as if it knew all, where all were said to know of it.
    FleetChangeSeen,
    /// What a change was tried of, or what is softly taken for wrong, answers in need alone.
    SoftInNeedAlone,
    /// What is asked while a change may yet spread is not kept.
    SettledFirst,
    /// A key that was answered is answered in an outage within its window.
    OutageAnswered,
    /// A call that has a backup gets no fault while that is well.
    BackupAnswers,
    /// A backup is asked in need alone: not while all is well, not before what the rule has first, and for nothing that may not run twice.
    BackupWaits,
    /// A call not known to be idempotent has its effect at most once.
    OnceAtMost,
    /// Backends are asked for a call again only where the budget of retries has one left.
    RetriesPaidFor,
    /// Effects of one connection begin in its order.
    EffectsInOrder,
    /// A reply that comes after its client has given up is not written.
    NoLateReply,
    /// A ruled call is answered within its time.
    InTime,
    /// Who has an entry that may answer is not held up by a backend for longer than the rule says.
    NotHeldUp,
    /// A well-behaved client is not closed, failed or delayed because of another.
    NobodyElsePays,
    /// Observed and switched-off rules change nothing.
    ModesChangeNothing,
    /// Nothing is asked of an endpoint that is not listed.
    OnlyListed,
    /// Connections and memory stay within their bounds.
    InBounds,
    /// When all is quiet, nothing is left over.
    NothingLeft,
    /// Nothing panics.
    NoPanic,
}

/// What the history of a world says against the promise.
pub(crate) fn judge(world: &World, events: &[Event]) -> Vec<Complaint> {
    let record = Record::of(world, events);
    let mut complaints = Vec::new();
    let mut say = |complaint: Complaint| complaints.push(complaint);
    replies::judge(&record, &mut say);
    ages::judge(&record, &mut say);
    unseen::judge(&record, &mut say);
    effects::judge(&record, &mut say);
    retries::judge(&record, &mut say);
    outage::judge(&record, &mut say);
    backups::judge(&record, &mut say);
    waits::judge(&record, &mut say);
    leftovers::judge(&record, &mut say);
    members::judge(&record, &mut say);
    complaints
}

/// What the history of a world says against the promise, beside that of the same world without those who misbehave.
pub(crate) fn compare(with: (&World, &[Event]), without: (&World, &[Event])) -> Vec<Complaint> {
    twins::compare(&Record::of(with.0, with.1), &Record::of(without.0, without.1))
}
