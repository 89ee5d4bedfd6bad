//! What a tier holds under a key, judged by the rule in force.

use std::sync::Arc;

use super::report::{EntryReport, TierReport};
use crate::cache::inspect::{Lying, Why};
use crate::cache::shared::Read;
use crate::clock::Millis;
use crate::entry::{Ending, Entry};
use crate::gateway::route::Keyed;
use crate::gateway::route::known::Restriction;
use crate::mark::{Kind, Marks};
use crate::rule::Freshness;

/// What decides of what is held under a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge<'a> {
    /// What holds for the method.
    pub keyed: &'a Keyed,
    /// The key.
    pub key: &'a [u8],
    /// The time.
    pub now: Millis,
    /// What was declared wrong.
    pub marks: &'a Marks,
}

impl Judge<'_> {
    /// What it may be used for.
    pub(super) fn freshness(self, lying: &Lying) -> Freshness {
        match lying {
            Lying::Entry(entry) => self.keyed.judge(entry, self.key, self.now, self.marks),
            Lying::Unused | Lying::Nothing | Lying::Unread(_) | Lying::Removed(_) | Lying::Dead(..) => {
                Freshness::Expired
            }
        }
    }

    /// The same for people.
    pub(super) fn report(self, lying: &Lying) -> TierReport {
        match lying {
            Lying::Unused => TierReport::Unused,
            Lying::Nothing => TierReport::Nothing,
            Lying::Unread(read) => TierReport::Unread { why: unread(*read) },
            Lying::Removed(born) => TierReport::Removed { age: self.now.since(*born).as_secs_f64() },
            Lying::Dead(entry, why) => {
                TierReport::Entry(self.entry(entry, Freshness::Expired, vec![dead(*why).to_owned()]))
            }
            Lying::Entry(entry) => {
                let restrictions = self.keyed.restrictions(entry, self.key, self.now, self.marks);
                let because = restrictions.into_iter().map(|restriction| restricted(restriction).to_owned());
                TierReport::Entry(self.entry(entry, self.freshness(lying), because.collect()))
            }
        }
    }

    fn entry(self, entry: &Entry, freshness: Freshness, because: Vec<String>) -> EntryReport {
        EntryReport {
            born: entry.born.0,
            age: self.now.since(entry.born).as_secs_f64(),
            bytes: entry.body.len(),
            ending: match entry.ending {
                Ending::Result => "result".to_owned(),
                Ending::Empty => "empty".to_owned(),
                Ending::Exception(id) => format!("exception {id}"),
            },
            state: state(freshness).to_owned(),
            because,
        }
    }
}

/// The reply that lies in a tier, whether it answers or not.
pub(super) fn reply(lying: &Lying) -> Option<&Arc<Entry>> {
    match lying {
        Lying::Entry(entry) | Lying::Dead(entry, _) => Some(entry),
        Lying::Unused | Lying::Nothing | Lying::Unread(_) | Lying::Removed(_) => None,
    }
}

fn state(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Fresh => "fresh",
        Freshness::StaleWhileRevalidate => "stale_while_revalidate",
        Freshness::StaleIfError => "stale_if_error",
        Freshness::Expired => "expired",
    }
}

fn restricted(restriction: Restriction) -> &'static str {
    match restriction {
        Restriction::Marked(Kind::Soft) => "a soft mark covers it",
        Restriction::Marked(Kind::Hard) => {
            "a hard mark covers it, or it is older than all marks that are known"
        }
        Restriction::Retagged => "its tags were made by other templates than those in force",
        Restriction::Unheard(Kind::Soft) => {
            "marks of other gateways may be unknown here, and its rule takes it for softly marked then"
        }
        Restriction::Unheard(Kind::Hard) => {
            "marks of other gateways may be unknown here, and its rule does not use it then"
        }
    }
}

fn unread(read: Read) -> String {
    let why = match read {
        Read::Timeout => "no answer within the read timeout",
        Read::Skipped => "the server that would have it is down",
        Read::Dropped => "too much is read from its server at this moment",
        Read::Future => "it was born too far ahead of this gateway's clock",
        Read::Unreadable(why) => return why.to_string(),
        Read::Hit | Read::Miss | Read::Tombstone | Read::Error => "its server answered with an error",
    };
    why.to_owned()
}

fn dead(why: Why) -> &'static str {
    match why {
        Why::Marked => restricted(Restriction::Marked(Kind::Hard)),
        Why::Removed => "a later answer has proved it wrong",
        Why::Unknown => {
            "it is older than the marks that are known here, and the shared tier does not tell those before"
        }
    }
}
