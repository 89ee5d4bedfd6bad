//! What the routes of a listener are for, by the names that people write.

use std::sync::Arc;

use super::{Asking, Decision, Destination, Keyed, Route, Routes};
use crate::clock::Millis;
use crate::entry::Entry;
use crate::idl::{self, Schema};
use crate::key::canonical::{Canonical, Unkeyable};
use crate::mark::{Kind, Marks, Standing};
use crate::rule::method::Ruled;
use crate::rule::sessions::Leaves;
use crate::wire::Protocol;
use crate::wire::header::info::Info;

impl Routes {
    /// What is kept, or would be.
    pub(crate) fn keyed(&self) -> impl Iterator<Item = &Keyed> {
        self.names.values().filter_map(|route| route.keyed())
    }

    /// What a method without prefix belongs to.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// The services that a call here may be for, some of them more than once.
    pub(crate) fn services(&self) -> impl Iterator<Item = &str> {
        let named = self.governed.named().map(|(service, _, _)| service);
        let patterns = self.governed.patterns().filter_map(|(pattern, _)| pattern.service());
        named.chain(patterns).chain([self.service.as_str()])
    }

    /// The methods that have a name here: each with its service, and what holds for it.
    pub(crate) fn methods(&self) -> impl Iterator<Item = (&str, &str, &Arc<Ruled>)> {
        self.governed.named()
    }

    /// What holds for a method that has a name here.
    pub(crate) fn ruled(&self, service: &str, method: &str) -> Option<&Arc<Ruled>> {
        self.methods().find(|(of, name, _)| (*of, *name) == (service, method)).map(|(_, _, ruled)| ruled)
    }

    /// What the IDL says of a method.
    pub(crate) fn declaration(&self, service: &str, method: &str) -> Option<(&Schema, &idl::Method)> {
        let schema = self.governed.schema()?;
        Some((schema, schema.service(service)?.methods.get(method)?))
    }

    /// How a method may be named on the wire here, and what each name leads to.
    pub(crate) fn spelled(&self, service: &str, method: &str) -> Vec<(String, &Arc<Route>)> {
        let plain = (service == self.service).then(|| method.to_owned());
        let names = plain.into_iter().chain([format!("{service}:{method}")]);
        names.filter_map(|name| self.names.get(name.as_bytes()).map(|route| (name, route))).collect()
    }

    /// Has backends forget what was said on their connections, where some of it makes a session by these routes and made none by `before`.
    pub(crate) fn renew(&self, before: &Self) {
        let made_none = |name: &[u8]| before.find(name).leaves == Leaves::Nothing;
        for (name, route) in &self.names {
            if route.leaves != Leaves::Nothing && made_none(name) {
                route.backend().renew();
            }
        }
    }

    /// Where calls may go.
    pub(crate) fn destinations(&self) -> &[Arc<Destination>] {
        &self.destinations
    }
}

impl Route {
    /// How a backend is asked for calls whose message says that their client expects a reply.
    pub(crate) fn usually(&self) -> &Asking {
        &self.asking
    }

    /// How its calls are kept, or would be.
    pub(crate) fn keyed(&self) -> Option<&Keyed> {
        match &self.decision {
            Decision::Cache(cached) | Decision::Identify(cached) => Some(&cached.keyed),
            Decision::Observe(keyed) => Some(keyed),
            Decision::Pass | Decision::Own(_) | Decision::Refuse => None,
        }
    }
}

/// What keeps an entry from answering as long as its age allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    /// A mark of this kind covers it.
    Marked(Kind),
    /// Its tags were made by other templates than those in force: nobody knows what they lack.
    Retagged,
    /// Others may have made marks that are not known here, and the rule says what is left of it then.
    Unheard(Kind),
}

impl Keyed {
    /// All that keeps `entry`, kept under `key`, from answering as long as its age allows. This leaves a trace in its seal.
    pub(crate) fn restrictions(
        &self,
        entry: &Entry,
        key: &[u8],
        now: Millis,
        marks: &Marks,
    ) -> Vec<Restriction> {
        let kind = |standing| match standing {
            Standing::Clear => None,
            Standing::Soft => Some(Kind::Soft),
            Standing::Hard => Some(Kind::Hard),
        };
        let marked = kind(marks.standing(&entry.seal, self.covers(&entry.tags.covers, key)));
        let retagged = entry.tags.made_by != self.caching.tagging.made_by();
        let heard = marks.vouch(entry.version, now) && !entry.seal.is_doubtful();
        let unheard = kind(self.caching.unvouched).filter(|_| !heard);
        let retagged = retagged.then_some(Restriction::Retagged);
        let unheard = unheard.map(Restriction::Unheard);
        marked.map(Restriction::Marked).into_iter().chain(retagged).chain(unheard).collect()
    }

    /// The key of a call with these arguments, as `protocol` spells them, and info headers.
    pub(crate) fn key_of(
        &self,
        protocol: Protocol,
        (arguments, info): (&[u8], Option<&Arc<Info>>),
        canonical: &mut Canonical,
    ) -> Result<Vec<u8>, Unkeyable> {
        let mut key = self.prefix.as_bytes().to_vec();
        canonical.put(protocol, arguments, &self.caching.ignored, &mut key)?;
        self.caching.headers.put(info, &mut key)?;
        Ok(key)
    }
}
