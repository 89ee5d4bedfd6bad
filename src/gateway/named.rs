//! Services, methods and calls of all listeners of this process, as people name them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value as Json;
use thiserror::Error;

use super::Gateway;
use super::route::{Decision, Route, Routes};
use crate::backend::Backend;
use crate::idl::value::{self, ValueProblem};
use crate::key::canonical::{Canonical, Unkeyable};
use crate::rule::method::Ruled;
use crate::setting::Nearest;
use crate::wire::{Bounds, Protocol, Struct};

/// What the listeners of this process serve.
///
/// Clones are the same directory: a listener that comes or goes does so for all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    gateways: Arc<ArcSwap<BTreeMap<String, Arc<Gateway>>>>,
}

/// A service and one of its methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodName {
    /// The service.
    pub service: String,
    /// The method, without prefix.
    pub method: String,
}

/// A listener that serves a method, and what holds for it there.
#[derive(Debug)]
pub(crate) struct Served {
    /// Whose clients call it.
    pub gateway: Arc<Gateway>,
    /// The rules in force.
    pub routes: Arc<Routes>,
    /// The method's.
    pub ruled: Arc<Ruled>,
    /// What is decided of it.
    pub route: Arc<Route>,
}

/// One way in which a call may be asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Whose clients ask so.
    pub gateway: Arc<Gateway>,
    /// The method's name on the wire.
    pub name: String,
    arguments: Arc<[u8]>,
    /// What is decided of it.
    pub route: Arc<Route>,
    /// What it is kept under, where it is.
    pub key: Result<Option<Vec<u8>>, Unkeyable>,
}

/// Why there is nothing of that name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unknown {
    /// It is no name of a method.
    #[error("{0:?} names no method: expected Service.method")]
    Form(String),
    /// No listener serves it.
    #[error("unknown service {name}{nearest}")]
    Service {
        /// What was looked for.
        name: String,
        /// The nearest there is.
        nearest: Nearest,
    },
    /// The service has none of that name, or nothing here knows of it.
    #[error("unknown method {service}.{method}{nearest}")]
    Method {
        /// Its service.
        service: String,
        /// What was looked for.
        method: String,
        /// The nearest there is.
        nearest: Nearest,
    },
    /// A call needs the IDL.
    #[error(
        "{0}.{1} is declared by no listener's idl, so its arguments cannot be told: name the call by its key"
    )]
    Undeclared(String, String),
    /// The arguments are not the method's.
    #[error("the arguments of {0} do not fit: {1}")]
    Arguments(String, Box<ValueProblem>),
    /// The call has no key.
    #[error("the call has no key: {0}")]
    Unkeyable(#[from] Unkeyable),
}

impl Directory {
    /// From here on these serve, each by its listener's name.
    pub(crate) fn replace(&self, gateways: BTreeMap<String, Arc<Gateway>>) {
        self.gateways.store(Arc::new(gateways));
    }

    /// Who serves them, by their listeners' names.
    pub(crate) fn gateways(&self) -> Arc<BTreeMap<String, Arc<Gateway>>> {
        self.gateways.load_full()
    }

    /// The rules in force, listener by listener.
    pub(crate) fn routes(&self) -> Vec<Arc<Routes>> {
        self.gateways().values().map(|gateway| gateway.routes.load_full()).collect()
    }

    /// The backends that calls may go to, by their names.
    pub(crate) fn backends(&self) -> Vec<Arc<Backend>> {
        let routes = self.routes();
        let all = routes.iter().flat_map(|routes| routes.destinations());
        let named: BTreeMap<&str, &Arc<Backend>> =
            all.map(|to| (&**to.backend.name(), &to.backend)).collect();
        named.into_values().cloned().collect()
    }

    /// Whether a call may be for this service.
    pub(crate) fn service(&self, name: &str) -> Result<(), Unknown> {
        let routes = self.routes();
        let known: BTreeSet<&str> = routes.iter().flat_map(|routes| routes.services()).collect();
        if known.contains(name) {
            return Ok(());
        }
        let nearest = Nearest::of(name, known);
        Err(Unknown::Service { name: name.to_owned(), nearest })
    }

    /// The method that this names, as `Service.method`.
    pub(crate) fn method(&self, name: &str) -> Result<MethodName, Unknown> {
        let (service, method) = name.rsplit_once('.').ok_or_else(|| Unknown::Form(name.to_owned()))?;
        self.service(service)?;
        let routes = self.routes();
        let named = routes.iter().flat_map(|routes| routes.methods());
        let methods: BTreeSet<&str> =
            named.filter(|(of, _, _)| *of == service).map(|(_, method, _)| method).collect();
        let (service, method) = (service.to_owned(), method.to_owned());
        if methods.contains(method.as_str()) {
            return Ok(MethodName { service, method });
        }
        let nearest = Nearest(Nearest::of(&method, methods).0.map(|near| format!("{service}.{near}")));
        Err(Unknown::Method { service, method, nearest })
    }

    /// The listeners that serve a method.
    pub(crate) fn served(&self, method: &MethodName) -> Vec<Served> {
        let gateways = self.gateways();
        let served = gateways.values().filter_map(|gateway| {
            let routes = gateway.routes.load_full();
            let ruled = Arc::clone(routes.ruled(&method.service, &method.method)?);
            let (_, route) = routes.spelled(&method.service, &method.method).into_iter().next()?;
            Some(Served { gateway: Arc::clone(gateway), ruled, route: Arc::clone(route), routes })
        });
        served.collect()
    }

    /// All the ways in which a call of `method` with these arguments may be asked.
    pub(crate) fn call(&self, method: &MethodName, arguments: &Json) -> Result<Vec<Asked>, Unknown> {
        let MethodName { service, method } = method;
        let all = self.gateways();
        let all: Vec<_> = all.values().map(|gateway| (gateway, gateway.routes.load_full())).collect();
        let declared = all.iter().find_map(|(_, routes)| routes.declaration(service, method));
        let undeclared = || Unknown::Undeclared(service.clone(), method.clone());
        let (schema, declared) = declared.ok_or_else(undeclared)?;
        let misfit = |problem| Unknown::Arguments(format!("{service}.{method}"), Box::new(problem));
        let arguments = value::arguments(schema, declared, arguments, SPELLED).map_err(misfit)?;
        let arguments: Arc<[u8]> = arguments.into();
        let asked = all.iter().flat_map(|(gateway, routes)| {
            routes.spelled(service, method).into_iter().map(|(name, route)| {
                let key = key(gateway, (&name, route), &arguments);
                let (gateway, arguments) = (Arc::clone(gateway), Arc::clone(&arguments));
                Asked { gateway, name, arguments, route: Arc::clone(route), key }
            })
        });
        Ok(asked.collect())
    }
}

impl Asked {
    /// The key that covers all that is kept for it, whatever the headers of its callers say.
    pub(crate) fn anybodys_key(self) -> Result<Option<Vec<u8>>, Unkeyable> {
        let Some(key) = self.key? else { return Ok(None) };
        let headers = self.route.keyed().map(|keyed| &keyed.caching.headers);
        let stripped = headers.and_then(|headers| headers.strip(None, &key)).map(<[u8]>::to_vec);
        Ok(Some(stripped.unwrap_or(key)))
    }

    /// The struct of arguments.
    pub(crate) fn arguments(&self) -> Struct<'_> {
        Struct { protocol: SPELLED, bytes: &self.arguments }
    }
}

/// What a call of this name is kept under, if it is kept, where nothing was said on its connection before, or in headers.
fn key(
    gateway: &Gateway,
    (name, route): (&str, &Route),
    arguments: &[u8],
) -> Result<Option<Vec<u8>>, Unkeyable> {
    let Some(keyed) = route.keyed() else { return Ok(None) };
    let mut canonical = Canonical::new(Bounds::default().depth);
    if !matches!(route.decision, Decision::Identify(_)) {
        return keyed.key_of(SPELLED, (arguments, None), &mut canonical).map(Some);
    }
    let mut said = Vec::new();
    canonical.put(SPELLED, arguments, &keyed.caching.ignored, &mut said)?;
    Ok(Some(keyed.session_key(&gateway.secret.first(name.as_bytes(), &said))))
}

/// The protocol that calls are spelled in: in any they have the same keys.
const SPELLED: Protocol = Protocol::Binary;
