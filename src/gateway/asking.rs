//! How a backend is asked for the calls of a method, and who is asked where that fails.

use std::sync::Arc;
use std::time::Duration;

use super::destination::{Destination, Destinations};
use crate::backend::{Backend, Method, MethodOf, Methods, Question};
use crate::call::{Answer, Answering, Call, Terms};
use crate::fault::Fault;
use crate::key::Ignored;
use crate::metrics::MethodCounts;
use crate::need::Demand;
use crate::rule::Fallback;
use crate::rule::method::Ruled;
use crate::rule::options::BackupWhen;
use crate::rule::tagging::Invalidation;

/// How a backend is asked, and what answers if it does not.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    /// What the backend must know of the method.
    pub terms: Terms,
    /// Who is asked.
    destination: Arc<Destination>,
    /// What the backend learns of the method.
    method: MethodOf,
    /// How long a call may take there; unbounded without.
    pub timeout: Option<Duration>,
    /// Who is asked where that fails.
    pub backup: Option<Backup>,
    /// What answers when nothing else does.
    pub fallback: Option<Fallback>,
    /// What the calls change of what is kept.
    pub invalidation: Option<Arc<Invalidation>>,
    /// What keys would leave out, where it is learnt from the calls which rule they should have.
    pub studied: Option<Arc<Ignored>>,
    /// What is counted of the calls.
    pub counts: Arc<MethodCounts>,
    /// Whether an operator has it spared: nobody asks it.
    is_spared: bool,
}

/// A backend that is asked where the usual one fails.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    /// How it is asked. Its timeout is that of the whole call.
    pub asking: Arc<Asking>,
    /// Whether old entries answer before.
    pub when: BackupWhen,
}

impl Asking {
    /// `find` knows the methods of a rule's label at a backend.
    pub(super) fn new(
        to: Destinations<'_>,
        ruled: &Ruled,
        find: impl Fn(&Methods, &Arc<str>) -> MethodOf,
        counts: &Arc<MethodCounts>,
    ) -> Self {
        let (rule, usual) = (&ruled.rule, to.of(&ruled.rule));
        let whole = rule.timeout.at(usual.backend.settings().timeout);
        let at = |destination: &Arc<Destination>, timeout, backup| Self {
            terms: rule.terms.clone(),
            destination: Arc::clone(destination),
            method: find(destination.backend.methods(), &ruled.label),
            timeout,
            backup,
            fallback: rule.fallback.clone(),
            invalidation: rule.invalidation.clone(),
            studied: rule.studied.clone(),
            counts: Arc::clone(counts),
            is_spared: false,
        };
        let backup = rule.backup.as_ref().map(|backup| {
            let asking = Arc::new(at(to.named(&backup.backend), whole, None));
            Backup { asking, when: backup.when }
        });
        // Who never answers must leave time for who would.
        let own = if backup.is_some() { whole.map(|whole| whole / 2) } else { whole };
        Self { is_spared: rule.spares, ..at(usual, own, backup) }
    }

    /// The same for calls that are answered so.
    pub(super) fn answered(&self, answer: Answering) -> Self {
        let terms = Terms { answer, ..self.terms.clone() };
        Self { terms, ..self.clone() }
    }

    /// Who is asked.
    #[inline]
    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.destination.backend
    }

    /// The same, and what goes with it.
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// A call as the backend is asked it.
    pub(crate) fn question<'a>(&'a self, call: &'a Call, demand: &'a Demand) -> Question<'a> {
        Question { call, terms: &self.terms, method: self.method_of(&call.name), key: None, demand }
    }

    /// Whether an operator has it spared.
    pub(crate) fn is_spared(&self) -> bool {
        self.is_spared
    }

    /// Whether the backend is known to answer no calls with this name on the wire, or is not asked.
    pub(crate) fn is_out(&self, name: &[u8]) -> bool {
        self.is_spared || self.backend().is_out(self.method_of(name))
    }

    /// Whether nobody is known to answer calls with this name who is asked before an old entry answers.
    pub(crate) fn stale_is_next(&self, name: &[u8]) -> bool {
        self.is_out(name) && self.backup_before_stale().is_none_or(|backup| backup.is_out(name))
    }

    /// Waits until that is so.
    pub(crate) async fn until_stale_is_next(&self, name: &[u8]) {
        loop {
            self.until_out(name).await;
            match self.backup_before_stale() {
                Some(backup) => backup.until_out(name).await,
                None => return,
            }
            if self.is_out(name) {
                return;
            }
        }
    }

    /// Waits until the backend is known to answer no calls with this name.
    pub(crate) async fn until_out(&self, name: &[u8]) {
        if !self.is_spared {
            self.backend().until_out(self.method_of(name)).await;
        }
    }

    /// What the backend says to a call that others may share.
    ///
    /// # Errors
    /// If it says nothing that answers, or is spared.
    pub(super) async fn shared(&self, question: Question<'_>) -> Result<Answer, Fault> {
        match self.is_spared {
            true => Err(self.down()),
            false => self.backend().ask(question, self.timeout).await,
        }
    }

    /// The fault of a call whose caller waits no longer.
    pub(crate) fn late(&self, after: Duration) -> Fault {
        Fault::Timeout { backend: Arc::clone(self.backend().name()), after }
    }

    /// The fault of a call that the backend is not asked.
    pub(crate) fn down(&self) -> Fault {
        match self.is_spared {
            true => Fault::Down { backend: Arc::clone(self.backend().name()), why: SPARED },
            false => self.backend().down(),
        }
    }

    /// How long a call with this name takes that takes far longer than others like it, so that an old entry answers where the rule does not say
    /// when. `None` where nobody knows what others take, or where the backup comes before old entries.
    pub(super) fn far_longer(&self, name: &[u8]) -> Option<Duration> {
        match self.backup_before_stale() {
            None => self.method_of(name).far_longer(),
            Some(_) => None,
        }
    }

    /// Who is asked where that fails, before an old entry answers.
    fn backup_before_stale(&self) -> Option<&Self> {
        let before = self.backup.as_ref().filter(|backup| backup.when == BackupWhen::BeforeStale);
        before.map(|backup| &*backup.asking)
    }

    /// Whether the backend is known to answer no such calls, and one of them may find out whether that is so still.
    pub(super) fn is_due(&self, name: &[u8]) -> bool {
        self.is_out(name) && self.is_worth_asking(name)
    }

    /// Has a call that something else answers find out whether the backend is back. Nobody waits for it.
    pub(super) fn find_out(&self, call: Call) {
        let method = Arc::clone(self.method_of(&call.name));
        self.backend().find_out(call, self.terms.clone(), method, self.timeout);
    }

    /// Whether a refresh of a call with this name on the wire would get as far as an endpoint.
    pub(crate) fn is_worth_asking(&self, name: &[u8]) -> bool {
        !self.is_spared && self.backend().is_worth_asking(self.method_of(name))
    }

    /// What the backend knows of the method of calls with this name on the wire.
    pub(crate) fn method_of(&self, name: &[u8]) -> &Arc<Method> {
        self.method.of(name)
    }

    /// Whether the client expects no reply.
    #[inline]
    pub(crate) fn is_silent(&self) -> bool {
        self.terms.answer != Answering::Reply
    }
}

/// Why a backend is not asked that an operator has spared.
const SPARED: &str = "an operator has it spared";
