//! What each kind of switch makes of a configuration, and that it is for nobody else.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::clock::Millis;
use crate::dial::Address;
use crate::idl::Schema;
use crate::rule::Rule;
use crate::rule::method::Governed;
use crate::rule::options::Mode;
use crate::setting::Period;
use crate::switch::order::Order;

const IDL: &str = "service S { i64 get(1: i64 id)  i64 find(1: i64 id)  void put(1: i64 id) }";

/// A table with these switches.
fn table(switches: &[Switch]) -> Table {
    let mut table = Table::default();
    for switch in switches.iter().cloned() {
        let order =
            Order { switch, lasts: Some(Period::from_secs(60)), why: String::new(), who: String::new() };
        table.set(order, "me".to_owned(), Millis(0)).unwrap();
    }
    table
}

/// What holds where `S.get` and `S.find` are cached by a rule of their own each, and these switches are in force.
fn governed(switches: &[Switch]) -> Governed {
    let schema = Schema::load(Path::new("s.thrift"), |_| Ok(IDL.to_owned())).unwrap();
    let cached = Options { ttl: Some(Period::from_secs(1)), ..Options::default() };
    let table = table(switches);
    let rules: Vec<(Pattern, Options)> =
        ["S.get", "S.find"].map(|name| (name.parse().unwrap(), cached.clone())).into();
    let rules: Vec<_> =
        rules.iter().map(|(pattern, options)| (pattern, table.options(pattern, options))).collect();
    Governed::new(rules.iter().map(|(pattern, options)| (*pattern, &**options)), Some(&schema))
        .steered(|method, ruled| table.ruled(Subject { method, backend: "users" }, ruled))
}

fn rule(governed: &Governed, method: &str) -> Rule {
    governed.named().find(|(_, name, _)| *name == method).unwrap().2.rule.clone()
}

fn caching(governed: &Governed, method: &str) -> Caching {
    let Action::Cache(caching) = rule(governed, method).action else { panic!("{method} is not cached") };
    caching
}

/// How many switches each of the three methods is told to be steered by.
fn told(governed: &Governed) -> Vec<usize> {
    let of = |method| governed.named().find(|(_, name, _)| *name == method).unwrap().2.steered.len();
    ["get", "find", "put"].map(of).into()
}

#[test]
fn old_replies_are_held_for_a_method_a_backend_or_all_the_longest_wins() {
    let hold = |of, seconds| Switch::HoldStale { of, window: Period::from_secs(seconds) };
    let users = Scope::Backend("users".to_owned());
    let steered = governed(&[hold(Scope::Method("S.get".to_owned()), 600), hold(users, 60)]);
    let held = |method| caching(&steered, method).hold;
    assert_eq!([held("get"), held("find")], [600, 60].map(Duration::from_secs));
    assert_eq!(told(&steered), [2, 1, 0]);
    let other = governed(&[hold(Scope::Backend("teams".to_owned()), 60)]);
    assert_eq!((caching(&other, "get").hold, told(&other)), (Duration::ZERO, vec![0; 3]));
}

#[test]
fn backends_are_spared_for_what_is_cached_alone() {
    let steered = governed(&[Switch::StaleOnly { of: Scope::All }]);
    assert_eq!(["get", "find", "put"].map(|method| rule(&steered, method).spares), [true, true, false]);
}

#[test]
fn a_bypassed_method_passes_and_may_still_be_repeated() {
    let steered =
        governed(&[Switch::Bypass { method: "S.get".to_owned() }, Switch::StaleOnly { of: Scope::All }]);
    let get = rule(&steered, "get");
    assert!(matches!(get.action, Action::Pass) && !get.spares);
    assert_eq!(get.terms.repeat, rule(&steered, "find").terms.repeat);
    assert!(matches!(rule(&steered, "find").action, Action::Cache(_)));
}

#[test]
fn a_rule_has_the_mode_and_the_ramp_that_are_said() {
    let mode = |mode| governed(&[Switch::Mode { rule: "S.get".to_owned(), mode }]);
    assert!(matches!(rule(&mode(Mode::Off), "get").action, Action::Pass));
    assert!(matches!(rule(&mode(Mode::Observe), "get").action, Action::Observe(_)));
    assert!(matches!(rule(&mode(Mode::Off), "find").action, Action::Cache(_)));
    let ramp = governed(&[Switch::Ramp { rule: "S.get".to_owned(), percent: 0 }]);
    let takes = |method| caching(&ramp, method).ramp.takes(b"a key");
    assert_eq!((takes("get"), takes("find"), told(&ramp)), (false, true, vec![1, 0, 0]));
}

#[test]
fn a_backend_is_told_what_is_said_of_it_and_its_endpoints() {
    let (backend, endpoint) = ("users".to_owned(), "10.0.0.1:9191".parse::<Address>().unwrap());
    let table = table(&[
        Switch::Endpoint { backend: backend.clone(), endpoint: endpoint.clone(), state: Ordered::Drained },
        Switch::Weight { backend: backend.clone(), endpoint: endpoint.clone(), weight: 3 },
        Switch::Backend { backend: backend.clone(), state: Declared::Down },
        Switch::TryAnyway { backend },
        Switch::Log { level: "debug".to_owned() },
    ]);
    let said = Steer {
        declared: Some(Ordered::Out),
        endpoints: [(endpoint.clone(), Ordered::Drained)].into(),
        weights: [(endpoint, 3)].into(),
        tries_deadly: true,
    };
    assert_eq!((table.steer("users"), table.steer("teams")), (said, Steer::default()));
    assert_eq!(table.level(), Some("debug"));
}
