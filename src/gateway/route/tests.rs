//! Which route a name on the wire leads to.

use std::path::Path;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::backend::{self, Outside};
use crate::dial::Simulated;
use crate::files::Memory;
use crate::idl::Schema;
use crate::metrics::{Metrics, Traffic};
use crate::rule::options::{Mode, Options};
use crate::rule::sessions::Sessions;
use crate::seed::Seed;
use crate::setting::Period;
use crate::state::State;
use crate::verification::Allowance;

const TIMEOUT: Option<Duration> = Some(Duration::from_secs(7));

fn routes(rules: &[(&str, Options)]) -> Routes {
    routes_with(rules, Sessions::Own)
}

fn routes_with(rules: &[(&str, Options)], sessions: Sessions) -> Routes {
    let idl = "service S { i64 get(1: i64 id) void put() i64 login() } service T { i64 get() }";
    let schema = Schema::load(Path::new("s.thrift"), |_| Ok(idl.to_owned())).unwrap();
    let rules: Vec<(Pattern, &Options)> =
        rules.iter().map(|(pattern, options)| (pattern.parse().unwrap(), options)).collect();
    let governed = Governed::new(rules.iter().map(|(pattern, options)| (pattern, *options)), Some(&schema));
    let counts = Metrics::register(&mut Registry::default()).listener("l".into());
    let all = ["b", "c"].map(|name| (name.to_owned(), Arc::new(destination(name)))).into();
    Routes::new(Destinations { all: &all, usual: "b", sessions }, "S", &governed, &counts)
}

/// A backend without an endpoint.
fn destination(name: &str) -> Destination {
    let files = Arc::new(Memory::default());
    let outside = Outside {
        dial: Arc::new(Simulated::default()),
        state: Arc::new(State::new(Arc::clone(&files) as Arc<_>, None)),
        files,
    };
    let options = backend::options::Options { timeout: TIMEOUT.map(Period::from), ..Default::default() };
    let settings = options.settings(name, Path::to_path_buf, None);
    let backend = Backend::new(settings, outside, Seed::new(1), &backend::Counts::default());
    let traffic = Arc::new(Traffic::new(name.into()));
    Destination { backend, traffic, allowance: Allowance::default(), stop: CancellationToken::new() }
}

fn cached() -> Options {
    Options { ttl: Some(Period::from_secs(1)), ..Options::default() }
}

fn prefix(routes: &Routes, name: &str) -> Option<Vec<u8>> {
    match &routes.find(name.as_bytes()).decision {
        Decision::Cache(cached) | Decision::Identify(cached) => Some(cached.keyed.prefix.as_bytes().to_vec()),
        Decision::Pass | Decision::Observe(_) | Decision::Own(_) | Decision::Refuse => None,
    }
}

#[test]
fn a_name_with_and_without_prefix_shares_no_key() {
    let routes = routes(&[("S.get", cached()), ("T.get", cached())]);
    let all = ["get", "S:get", "T:get"].map(|name| prefix(&routes, name).unwrap());
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
}

#[test]
fn every_call_has_the_backends_timeout() {
    let routes = routes(&[("S.p*", Options::default())]);
    let names: [&[u8]; 7] =
        [b"get", b"put", b"S:put", b"unknown", b"p\xff", b"\xff:get", TRACKING.as_bytes()];
    for name in names {
        for kind in [Kind::Call, Kind::Oneway] {
            assert_eq!(routes.find(name).asking(kind).timeout, TIMEOUT, "{}", name.escape_ascii());
        }
    }
}

#[test]
fn names_from_the_network_are_not_remembered() {
    let routes = routes(&[("S.get", cached()), ("S.p*", Options::default())]);
    let known = routes.names.len();
    let junk = (0..5000).map(|n| format!("junk{n}"));
    let mut found: Vec<*const Route> = junk.map(|name| Arc::as_ptr(routes.find(name.as_bytes()))).collect();
    found.dedup();
    assert_eq!((found.len(), routes.names.len()), (1, known));
    assert!(prefix(&routes, "get").is_some());
    assert_eq!(&**routes.find(b"purge").counts.method(), "S.p*");
    assert_eq!(&**routes.find(b"T:purge").counts.method(), "_OTHER");
    assert_eq!(&**routes.find(b"S:put").counts.method(), "S.put");
}

#[test]
fn a_method_that_no_idl_declares_is_not_kept_by_a_wildcard() {
    let routes = routes(&[("S.*", cached())]);
    assert!(prefix(&routes, "get").is_some());
    for name in ["put", "getAll", "S:getAll"] {
        assert!(prefix(&routes, name).is_none(), "{name}");
        assert!(routes.find(name.as_bytes()).keeps_place(), "{name}");
    }
}

#[test]
fn a_handshake_is_refused_under_any_service() {
    let routes = routes(&[("S.*", cached())]);
    for name in [TRACKING.to_owned(), format!("S:{TRACKING}")] {
        assert!(matches!(routes.find(name.as_bytes()).decision, Decision::Refuse), "{name}");
    }
}

#[test]
fn a_message_alone_makes_a_call_oneway_where_nothing_else_tells() {
    let routes = routes(&[]);
    let silent = |name: &[u8], kind| routes.find(name).asking(kind).is_silent();
    assert!(silent(b"unknown", Kind::Oneway) && !silent(b"unknown", Kind::Call));
    assert!(!silent(b"get", Kind::Oneway), "the idl says that it answers");
}

#[test]
fn a_method_that_makes_a_session_is_known_by_its_name_and_never_kept() {
    let names: [&[u8]; 5] = [b"login", b"S:login", b"set_ugi", b"Hive:set_ugi", b"openSession"];
    for rules in [vec![], vec![("S.login", cached()), ("S.*", cached())]] {
        let (own, shared) = (routes_with(&rules, Sessions::Own), routes_with(&rules, Sessions::Shared));
        for name in names {
            let text = name.escape_ascii();
            let route = own.find(name);
            assert!(route.leaves == Leaves::Session && route.keeps_place(), "{text}");
            assert!(matches!(route.decision, Decision::Pass), "{text}");
            assert_eq!(shared.find(name).leaves, Leaves::Nothing, "{text}");
        }
        assert_eq!(own.find(b"get").leaves, Leaves::Nothing);
        assert_eq!(shared.find(b"login").keeps_place(), rules.is_empty());
    }
}

fn at(backend: &str, options: Options) -> Options {
    Options { backend: Some(backend.to_owned()), ..options }
}

#[test]
fn a_rule_says_which_backend_its_calls_are_for_whatever_its_mode() {
    let off = Options { mode: Mode::Off, ..cached() };
    let routes = routes(&[("S.get", at("c", cached())), ("S.put", at("c", off)), ("T.*", at("c", cached()))]);
    let to = |name: &[u8]| routes.find(name).backend().name().to_string();
    for name in ["get", "S:get", "put", "T:get", "T:unknown"] {
        assert_eq!(to(name.as_bytes()), "c", "{name}");
    }
    for name in ["login", "unknown", "S:unknown", "U:get", TRACKING] {
        assert_eq!(to(name.as_bytes()), "b", "{name}");
    }
}

#[test]
fn what_one_backend_said_is_no_answer_of_another() {
    let [here, there] = ["b", "c"].map(|backend| routes(&[("S.get", at(backend, cached()))]));
    let unsaid = routes(&[("S.get", cached())]);
    assert_eq!(prefix(&here, "get"), prefix(&unsaid, "get"));
    assert_ne!(prefix(&here, "get"), prefix(&there, "get"));
}

#[test]
fn routes_lead_to_the_listeners_backend_and_those_of_its_rules() {
    let lead = |rules: &[(&str, Options)]| {
        let routes = routes(rules);
        let named = |name| routes.destinations.iter().filter(|to| &**to.backend.name() == name).count();
        assert!(routes.destinations.iter().all(|to| routes.lead_to(Arc::as_ptr(&to.backend))));
        (named("b"), named("c"))
    };
    assert_eq!(lead(&[("S.get", cached())]), (1, 0));
    assert_eq!(lead(&[("S.get", at("c", cached())), ("S.p*", at("c", cached()))]), (1, 1));
}
