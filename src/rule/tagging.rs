//! Tags: names that a rule gives to what it keeps and to what its calls change, made of arguments and replies.

pub(crate) mod template;

use std::sync::Arc;
use std::time::Duration;

use crate::entry::{TAGS_MAX, Tags};
use crate::mark::{Cover, Reach};
use crate::wire::Struct;

use template::{Filled, Template};

/// What a template is filled from: a call, and its reply where it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    /// The struct of arguments.
    pub call: Struct<'a>,
    /// The struct of the reply.
    pub reply: Option<Struct<'a>>,
}

/// The tags of what a rule keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tagging {
    templates: Arc<[Template]>,
    made_by: u64,
}

impl Tagging {
    /// Tags made by these templates.
    pub(crate) fn new(templates: Vec<Template>) -> Self {
        let made_by = template::hash(&templates);
        Self { templates: templates.into(), made_by }
    }

    /// Which templates they are: 0 without any.
    #[inline]
    pub(crate) fn made_by(&self) -> u64 {
        self.made_by
    }

    /// What covers replies that may have this tag, and nobody knows it: one for each template that may be filled so.
    pub(crate) fn untold_of(&self, tag: &[u8]) -> impl Iterator<Item = Cover> {
        self.templates.iter().filter_map(|template| template.untold_of(tag))
    }

    /// The tags of a reply by their names, for people, template by template.
    pub(crate) fn named(&self, said: Said<'_>) -> Vec<Named> {
        let named = self.templates.iter().map(|template| Named {
            pattern: template.pattern(),
            names: match template.fill(said, TAGS_MAX) {
                Filled::Names(names) => Some(names),
                Filled::Untold => None,
            },
            family: template.family(),
            untold: template.untold(),
            awaits_reply: said.reply.is_none() && template.awaits_reply(),
        });
        named.collect()
    }

    /// The tags of a reply; of one that is not there yet, those that it may have as far as the call tells.
    pub(crate) fn of(&self, said: Said<'_>) -> Tags {
        let mut covers = Vec::new();
        for template in &*self.templates {
            covers.push(template.family());
            match template.fill(said, TAGS_MAX) {
                Filled::Names(names) => covers.extend(names.iter().map(|name| Cover::tag(name))),
                Filled::Untold => covers.push(template.untold()),
            }
        }
        if covers.len() > TAGS_MAX {
            covers =
                self.templates.iter().flat_map(|template| [template.family(), template.untold()]).collect();
        }
        Tags { made_by: self.made_by, covers: covers.into() }
    }
}

/// The tags that one template gives a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The template with empty holes.
    pub pattern: String,
    /// The tags; nobody can tell them where there are none.
    pub names: Option<Vec<Vec<u8>>>,
    /// What covers all that it may be filled with.
    pub family: Cover,
    /// What covers what it could not be filled for.
    pub untold: Cover,
    /// Whether the reply tells, and is not there.
    pub awaits_reply: bool,
}

/// What the calls of a method change of what is kept.
#[derive(Clone, Debug)]
pub(crate) struct Invalidation {
    /// The tags of what they change.
    pub templates: Arc<[Template]>,
    /// How long after such a call its effect may still spread among a backend's replicas, or come at all.
    pub settle: Duration,
    /// How far a mark must have got before the call is answered, if that can be had in time.
    pub hold_until: Reach,
}

impl Invalidation {
    /// What marks must cover for a call that was answered, or will be; where a template cannot be filled, all tags of its pattern, or
    /// nothing yet if the reply may tell.
    pub(crate) fn covers(&self, said: Said<'_>, unfilled: Unfilled) -> Vec<Cover> {
        let mut covers = Vec::new();
        for template in &*self.templates {
            match (template.fill(said, TAGS_MAX), unfilled) {
                (Filled::Names(names), _) => {
                    covers.extend(names.iter().map(|name| Cover::tag(name)));
                    covers.push(template.untold());
                }
                (Filled::Untold, Unfilled::Waits) if template.awaits_reply() => {}
                (Filled::Untold, Unfilled::Waits | Unfilled::Widens) => covers.push(template.family()),
            }
        }
        covers
    }
}

/// What becomes of a template that cannot be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// It waits for the reply, if that may fill it.
    Waits,
    /// It stands for all that it may be filled with.
    Widens,
}
