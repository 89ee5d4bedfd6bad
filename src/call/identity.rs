//! Who a client connection belongs to, as the session calls say that were made on it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ring::hmac;

use super::{Call, ClientId, Terms};
use crate::wire::translate::translate;

/// Who a client connection belongs to at a backend: the session calls that were made on it, in their order.
///
/// A further session call makes another identity of all of them, for nobody knows whether it takes the place of one. The last one over
/// again makes none. No connection hears one of them twice: services refuse that.
#[derive(Debug)]
pub(crate) struct Identity {
    digest: Digest,
    /// That of who it was before the last call.
    before: Digest,
    calls: Vec<Arc<SessionCall>>,
}

/// What tells identities apart: equal calls, however they are spelled, have equal ones.
pub(crate) type Digest = [u8; DIGEST];

/// A session call, as it is replayed on each backend connection of its identity.
#[derive(Debug)]
pub(crate) struct SessionCall {
    /// The call, which is nobody's any more.
    pub call: Call,
    /// How its answer is understood.
    pub terms: Terms,
    /// How long it may take; unbounded without.
    pub timeout: Option<Duration>,
}

/// The secret of a fleet. Who reads what lies in Redis, and does not have it, cannot try out who an entry is for.
#[derive(Clone, Debug)]
pub(crate) struct Secret(hmac::Key);

impl Secret {
    /// All gateways that share entries have the same.
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Digest of who has said this alone, by a call of this name with these canonical arguments.
    pub(crate) fn first(&self, name: &[u8], arguments: &[u8]) -> Digest {
        self.digest(&NOBODY, name, arguments)
    }

    /// Digests of session calls of this name with these canonical arguments, behind what is digested as `before`.
    fn digest(&self, before: &Digest, name: &[u8], arguments: &[u8]) -> Digest {
        let mut signing = hmac::Context::with_key(&self.0);
        signing.update(before);
        signing.update(&(name.len() as u64).to_be_bytes());
        signing.update(name);
        signing.update(arguments);
        let mut digest = NOBODY;
        digest.copy_from_slice(signing.sign().as_ref());
        digest
    }
}

impl Default for Secret {
    /// The same for everybody who was given none: it hides nothing from who can guess what was said.
    fn default() -> Self {
        Self::new(b"larder: who a connection belongs to")
    }
}

impl SessionCall {
    /// A call as something to keep for as long as connections are opened for who made it.
    pub(crate) fn new(call: &Call, terms: &Terms, timeout: Option<Duration>) -> Self {
        // Cut out of a read buffer, it would hold all of that in memory.
        let [name, body] = [&call.name, &call.body].map(|bytes| Bytes::copy_from_slice(bytes));
        let call = Call { client: ClientId::default(), name, body, identity: None, ..call.clone() };
        Self { call, terms: terms.clone(), timeout }
    }

    fn len(&self) -> usize {
        self.call.name.len() + self.call.body.len()
    }

    /// Whether `call` is this one, in whatever protocol.
    fn is(&self, call: &Call) -> bool {
        let Call { protocol, name, body, .. } = &self.call;
        let spelled_alike = || match *protocol == call.protocol {
            true => *body == call.body,
            false => translate(*protocol, call.protocol, body).is_ok_and(|body| body == call.body),
        };
        *name == call.name && spelled_alike()
    }
}

impl Identity {
    /// Who a connection belongs to behind `made`, whose canonical arguments these are, if it belonged to `prior` before. Nobody who can be told
    /// where there were more than [`CALLS_MAX`] calls, or more than [`BYTES_MAX`] bytes of them.
    pub(crate) fn after(
        prior: Option<&Arc<Self>>,
        made: SessionCall,
        arguments: &[u8],
        secret: &Secret,
    ) -> Option<Arc<Self>> {
        let name = made.call.name.clone();
        let (before, earlier) = match prior.map(|prior| (prior, prior.calls.split_last())) {
            None => (NOBODY, &[][..]),
            Some((prior, Some((_, earlier))))
                if secret.digest(&prior.before, &name, arguments) == prior.digest =>
            {
                (prior.before, earlier)
            }
            Some((prior, _)) => (prior.digest, prior.calls.as_slice()),
        };
        let calls: Vec<_> = earlier.iter().cloned().chain([Arc::new(made)]).collect();
        let bytes: usize = calls.iter().map(|made| made.len()).sum();
        let digest = secret.digest(&before, &name, arguments);
        (calls.len() <= CALLS_MAX && bytes <= BYTES_MAX).then(|| Arc::new(Self { digest, before, calls }))
    }

    /// What tells it from others, as keys have it.
    #[inline]
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Whether `call` is the last of those that make it.
    fn is_made_by(&self, call: &Call) -> bool {
        self.calls.last().is_some_and(|last| last.is(call))
    }

    /// What is replayed on a new connection before `call`.
    pub(crate) fn replayed_before(&self, call: &Call) -> &[Arc<SessionCall>] {
        match self.calls.split_last() {
            Some((_, earlier)) if self.is_made_by(call) => earlier,
            Some(_) | None => &self.calls,
        }
    }
}

impl Call {
    /// Whose the connections are that it may be sent on.
    #[inline]
    pub(crate) fn owner(&self) -> &Digest {
        match &self.identity {
            None => &NOBODY,
            Some(identity) if identity.is_made_by(self) => &identity.before,
            Some(identity) => &identity.digest,
        }
    }

    /// Whose the connection is from then on that it was sent on, if it is a session call and has succeeded.
    pub(crate) fn makes(&self) -> Option<&Digest> {
        let identity = self.identity.as_ref().filter(|identity| identity.is_made_by(self))?;
        Some(&identity.digest)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Identity {}

/// Bytes of a digest.
pub(crate) const DIGEST: usize = 32;
/// Session calls that one identity is made of.
const CALLS_MAX: usize = 16;
/// Bytes of all of them.
const BYTES_MAX: usize = 64 << 10;
/// What stands for who has not said anything.
pub(crate) const NOBODY: Digest = [0; DIGEST];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Protocol;
    use crate::wire::message::Kind;

    fn session(name: &'static str, arguments: &'static [u8]) -> SessionCall {
        let (name, body) = (Bytes::from_static(name.as_bytes()), Bytes::from_static(arguments));
        let call = Call {
            client: ClientId(7),
            protocol: Protocol::Binary,
            name,
            kind: Kind::Call,
            body,
            identity: None,
            info: None,
        };
        SessionCall::new(&call, &Terms::default(), None)
    }

    fn of(calls: &[(&'static str, &'static [u8])], secret: &Secret) -> Option<Arc<Identity>> {
        let mut identity = None;
        for (name, arguments) in calls {
            identity = Some(Identity::after(identity.as_ref(), session(name, arguments), arguments, secret)?);
        }
        identity
    }

    #[test]
    fn the_sequence_of_calls_is_the_identity() {
        let secret = Secret::default();
        let (ann, ben) = (("set_ugi", &b"ann"[..]), ("set_ugi", &b"ben"[..]));
        let all = [
            vec![ann],
            vec![ben],
            vec![ann, ben],
            vec![ben, ann],
            vec![ann, ben, ann],
            vec![("use", b"ann")],
            vec![("set_ug", b"iann")],
        ];
        let mut digests: Vec<_> = all.iter().map(|calls| *of(calls, &secret).unwrap().digest()).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), all.len());
        assert_eq!(of(&[ann, ben], &secret), of(&[ann, ben], &secret));
    }

    #[test]
    fn the_last_call_over_again_is_the_same_identity() {
        let secret = Secret::default();
        let (ann, ben) = (("set_ugi", &b"ann"[..]), ("set_ugi", &b"ben"[..]));
        assert_eq!(of(&[ann, ann, ann], &secret), of(&[ann], &secret));
        assert_eq!(of(&[ben, ann, ann], &secret), of(&[ben, ann], &secret));
        assert_eq!(of(&[ann, ann], &secret).unwrap().calls.len(), 1);
    }

    #[test]
    fn without_the_secret_nobody_knows_the_digest() {
        let ann = [("set_ugi", &b"ann"[..])];
        assert_ne!(of(&ann, &Secret::default()), of(&ann, &Secret::new(b"another")));
    }

    #[test]
    fn what_is_replayed_before_a_session_call_are_those_before_it() {
        let identity = of(&[("set_ugi", b"ann"), ("use", b"sales")], &Secret::default()).unwrap();
        let replayed =
            |call: &Call| identity.replayed_before(call).iter().map(|made| made.call.name.clone()).collect();
        let names: Vec<Bytes> = replayed(&session("use", b"sales").call);
        assert_eq!(names, ["set_ugi"]);
        let names: Vec<Bytes> = replayed(&session("use", b"other").call);
        assert_eq!(names, ["set_ugi", "use"]);
    }

    #[test]
    fn an_identity_is_bounded() {
        let (ann, ben) = (("set_ugi", &b"ann"[..]), ("set_ugi", &b"ben"[..]));
        let calls: Vec<_> = [ann, ben].into_iter().cycle().take(CALLS_MAX + 1).collect();
        assert!(of(&calls[..CALLS_MAX], &Secret::default()).is_some());
        assert!(of(&calls, &Secret::default()).is_none());
        static LONG: [u8; BYTES_MAX] = [0; BYTES_MAX];
        assert!(of(&[("set_ugi", &LONG)], &Secret::default()).is_none());
    }
}
