//! Session calls that are replayed on a new connection: it belongs to who they say it does before its first call.

use thrift::ApplicationErrorKind;

use super::deadline::Deadline;
use super::loan::Loan;
use super::means::Means;
use crate::call::identity::SessionCall;
use crate::call::{Answer, Call, Said};
use crate::fault::Fault;
use crate::wire::exception;

impl Loan {
    /// Replays on a new connection what makes it that of whom `call` is made as. One on which that fails is good for nothing.
    ///
    /// # Errors
    /// As of any call, and what a replayed call was answered where that is an exception. No byte of `call` was sent.
    pub(super) async fn identify(&mut self, call: &Call, deadline: Option<Deadline>) -> Result<(), Fault> {
        let Some(identity) = &call.identity else { return Ok(()) };
        for made in identity.replayed_before(call) {
            self.replay(made, deadline).await?;
        }
        self.connection.owner = *call.owner();
        Ok(())
    }

    /// Whether the connection may be given back after `answer` to `call`: one on which a session call has failed is nobody's.
    pub(super) fn is_settled(&mut self, call: &Call, answer: Result<&Answer, &Fault>) -> bool {
        let Some(owner) = call.makes() else { return true };
        self.connection.owner = *owner;
        answer.is_ok_and(is_success)
    }

    async fn replay(&mut self, made: &SessionCall, deadline: Option<Deadline>) -> Result<(), Fault> {
        let SessionCall { call, terms, timeout } = made;
        let endpoint = self.endpoint.clone();
        let means = &endpoint.means;
        let call = &*means.spelled_in(endpoint.speech.protocol, call)?;
        let own = Deadline::after(*timeout);
        let deadline = own.map_or(deadline, |own| Some(own.or_earlier(deadline)));
        let replayed = self.exchange(call, deadline).await.map_err(|cut| means.cut(cut))?;
        match means.classify(replayed, terms) {
            Ok(answer) if is_success(&answer) => Ok(()),
            Ok(_) => Err(means.refuses(call)),
            Err(fault) => Err(means.fails_at(call, fault)),
        }
    }
}

impl Means {
    fn refuses(&self, call: &Call) -> Fault {
        Fault::Session { backend: self.name().clone(), method: name(call) }
    }

    /// The fault of whoever called behind a session call that met `fault`: what that was answered is no answer to him.
    fn fails_at(&self, call: &Call, fault: Fault) -> Fault {
        if !matches!(fault, Fault::MissingResult { .. } | Fault::Failure { .. }) {
            return fault;
        }
        let (kind, why) = (ApplicationErrorKind::InternalError, format!("larder: {}: {fault}", name(call)));
        let protocol = call.protocol;
        let body = exception::encode(protocol, kind, &why).into();
        Fault::Exception { backend: self.name().clone(), kind, protocol, body }
    }
}

fn is_success(answer: &Answer) -> bool {
    match answer.said {
        Said::Result | Said::Nothing => true,
        Said::Declared(_) => false,
    }
}

fn name(call: &Call) -> std::sync::Arc<str> {
    String::from_utf8_lossy(&call.name).into()
}
