//! What becomes of calls when an endpoint, or a method there, leaves the rotation or comes back: who is released, and what is begun anew.

use tokio::time::Instant;

use super::cell::Turned;
use super::endpoint::Endpoint;
use super::method::Method;
use super::standing::{Effect, Why};
use crate::fault::Fault;

impl Endpoint {
    /// Has those know that it concerns what became of its standing.
    pub(super) fn note(&self, effect: Effect, fault: Option<&Fault>) {
        let means = &self.means;
        if self.is_retired() {
            return;
        }
        match effect {
            Effect::Unchanged => {}
            Effect::Ejected(why) => {
                means.tally.ejected(why);
                self.leave(why);
                self.tell_ejected(why, fault);
            }
            Effect::Tried(why) => {
                self.come_back(why);
                self.tell_tried(why);
            }
            Effect::Failed(why) => {
                self.leave(why);
                self.tell_failed(why, fault);
            }
            Effect::Proven(why, out) => {
                means.turned.notify_waiters();
                self.tell_returned(why, out);
            }
            Effect::Returned(why, out) => {
                self.come_back(why);
                self.tell_returned(why, out);
            }
        }
        if self.position.is_uneasy() {
            means.alarm.notify_one();
        }
    }

    /// It takes no calls: who has something else is released, and who waits for it goes elsewhere.
    fn leave(&self, why: Why) {
        self.means.left.notify_waiters();
        self.means.turned.notify_waiters();
        if why != Why::Drained {
            self.pool.permits.move_on();
        }
    }

    /// It takes calls again, few at first.
    fn come_back(&self, why: Why) {
        self.cells.forget();
        let now = Instant::now();
        self.pool.permits.ramp(None, self.pulse.parallel(), now);
        match why {
            // Another process may listen there now.
            Why::Refused | Why::Untrusted | Why::Closed => {
                self.pulse.reset();
                self.pool.forget();
            }
            Why::Silent | Why::Unwell | Why::Failing | Why::Draining | Why::Drained | Why::Ordered => {}
        }
        self.share.begin_slowly(now);
        self.means.turned.notify_waiters();
    }

    /// The same of one of its methods.
    pub(super) fn note_method(&self, turned: Turned, method: &Method, fault: Option<&Fault>) {
        match turned {
            Turned::No => {}
            Turned::Out { .. } | Turned::StillOut(_) => {
                self.pool.permits.move_method_on(method.index);
                self.means.left.notify_waiters();
            }
            Turned::Back(_) => {
                self.pool.permits.ramp(Some(method.index), self.pulse.parallel(), Instant::now());
            }
        }
        self.tell_method(turned, &method.name, fault);
    }
}
