//! Calls by which a client says who it is: from then on its calls are made as that, whatever answers this one.

use std::sync::Arc;

use super::caller::Caller;
use super::reply::{Body, Reply};
use super::route::{Cached, Keyed, Route};
use super::seeker::Seeker;
use super::{Gateway, Made, Turn};
use crate::backend::Session;
use crate::call::identity::{Digest, Identity, SessionCall};
use crate::call::{Call, CallRef};
use crate::entry::{Ending, Tags};
use crate::mark::Cover;
use crate::outcome::Outcome;
use crate::rule::Freshness;
use crate::rule::tagging::Said;
use crate::wire::Struct;

impl Gateway {
    /// Answers a call that says who its client is, which is alone on its connection: by a backend, and while that fails by what was ever
    /// answered to who has said the same. Its client is that from here on; if it fails, the client's connection is to end, for nobody
    /// knows who it is. Who cannot be told, or wants no answer, gets a backend connection of its own.
    pub(super) fn identify(
        self: &Arc<Self>,
        call: &CallRef<'_>,
        route: &Route,
        cached: &Arc<Cached>,
        caller: &mut Caller,
    ) -> Turn {
        let backend = cached.asking.backend();
        let prior = Arc::clone(caller.sessions.at(backend));
        let asking = route.asking(call.header.kind);
        let identity = match asking.is_silent() {
            true => None,
            false => self.identity(call, cached, &prior, caller),
        };
        let Some(identity) = identity else {
            caller.become_private_at(backend);
            let session = caller.sessions.at(backend);
            return self.pass(call, asking, (session, caller.place), Outcome::PassedUnkeyable);
        };
        let session = Arc::new(Session::identified(Arc::clone(&identity)));
        caller.identify_at(backend, &session);
        let key = cached.keyed.session_key(identity.digest());
        let old = self.cache.near(cached.keyed.caching.tiers, &key);
        let old = old.filter(|entry| self.freshness(cached, entry, &key) != Freshness::Expired);
        let seeker = Seeker::new(cached.keyed.shared((call, Some(&identity))), cached, &key, old);
        let this = Arc::clone(self);
        let taken = seeker.call.clone();
        let reply = Box::pin(async move {
            let reply = this.ask_who(&prior, seeker).await;
            if !is_success(&reply) {
                session.fails();
            }
            reply
        });
        Turn::Later(taken, reply)
    }

    /// What is answered to a session call, behind all that its client has sent as who it was before.
    async fn ask_who(self: Arc<Self>, prior: &Session, seeker: Seeker) -> Reply {
        let asking = &seeker.cached.asking;
        match prior.handled(asking.backend(), asking.timeout).await {
            Ok(()) => self.seek(seeker).await,
            Err(fault) => Reply::fault(asking.counts.met(fault), seeker.call.protocol),
        }
    }

    /// Who a client is behind a call, if that can be told.
    fn identity(
        &self,
        call: &CallRef<'_>,
        cached: &Cached,
        prior: &Session,
        caller: &mut Caller,
    ) -> Option<Arc<Identity>> {
        let (asking, caching) = (&cached.asking, &cached.keyed.caching);
        let mut arguments = Vec::new();
        let canonical = &mut caller.scratch.canonical;
        canonical.put(call.protocol, call.body, &caching.ignored, &mut arguments).ok()?;
        let made = SessionCall::new(&cached.keyed.shared((call, None)), &asking.terms, asking.timeout);
        Identity::after(prior.identity(), made, &arguments, &self.secret)
    }
}

impl Keyed {
    /// The call as something to keep whose reply others get too: of its info headers it has those that the rule names.
    pub(super) fn shared(&self, (call, identity): Made<'_>) -> Call {
        let info = self.caching.headers.shared(call.info);
        Call { info, ..CallRef { info: None, ..*call }.to_call(identity) }
    }

    /// What the reply to a session call is kept under, behind which its client is known by this digest: that tells what the call said.
    pub(super) fn session_key(&self, digest: &Digest) -> Vec<u8> {
        [self.prefix.as_bytes(), &NO_ARGUMENTS, digest].concat()
    }

    /// The tags of what is kept under `key` for a call that was answered so, if it was. One that was made as somebody, or that
    /// headers tell apart, is covered by what covers the same call of anybody, too.
    pub(super) fn tags(&self, call: &Call, reply: Option<Struct<'_>>, key: &[u8]) -> Tags {
        let said = Said { call: call.arguments(), reply };
        let tags = self.caching.tagging.of(said);
        let anybodys = call.identity.as_ref().and_then(|identity| key.strip_suffix(identity.digest()));
        let bare = self.caching.headers.strip(call.info.as_ref(), anybodys.unwrap_or(key));
        [anybodys, bare].into_iter().flatten().fold(tags, |tags, key| tags.and(Cover::key(key)))
    }
}

/// Whether a session call was answered with what says that its client is who it says it is.
fn is_success(reply: &Reply) -> bool {
    match &reply.body {
        Body::Kept(entry) => match entry.ending {
            Ending::Result | Ending::Empty => true,
            Ending::Exception(_) => false,
        },
        Body::Struct(..) | Body::Silence => false,
    }
}

/// A struct of arguments without any.
const NO_ARGUMENTS: [u8; 1] = [0];
