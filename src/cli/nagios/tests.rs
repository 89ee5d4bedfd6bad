//! The check against gateways in every state, and against what is none.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use clap::Parser;

use super::*;
use crate::admin::outage::{Outage, OutageCalls};
use crate::admin::status::{
    AnsweredStatus, BackendStatus, ConfigStatus, CoverageStatus, EndpointStatus, HabitsStatus, LocalStatus,
    SharedStatus, WindowStatus,
};
use crate::outcome::Outcome;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

fn asked(words: &[&str]) -> Arguments {
    Command::try_parse_from(["nagios"].iter().chain(words)).unwrap().arguments
}

#[test]
fn the_endpoint_is_named_as_the_other_commands_name_it_or_by_an_option() {
    let endpoint = |words: &[&str]| asked(words).asked().to_string();
    assert_eq!(endpoint(&[]), "127.0.0.1:9099");
    assert_eq!([endpoint(&["gateway1"]), endpoint(&["--admin", "gateway1"])], ["gateway1:9099"; 2]);
    assert!(Command::try_parse_from(["nagios", "gateway1", "--admin", "gateway2"]).is_err());
}

fn backend(name: &str, states: &[&str]) -> BackendStatus {
    let endpoint = |state: &&str| EndpointStatus {
        address: "127.0.0.1:9191".to_owned(),
        state: (*state).to_owned(),
        reason: None,
        untrusted: None,
        out_seconds: None,
        held: false,
        idle: false,
        in_flight: 1,
        waiting: 0,
        limit: None,
        answered: 0,
        failed: 0,
        connections: 3,
        habits: HabitsStatus::default(),
    };
    let endpoints = states.iter().map(endpoint).collect();
    let (name, methods_out) = (name.to_owned(), Vec::new());
    BackendStatus {
        name,
        down: false,
        endpoints,
        undiscovered: None,
        methods_out,
        quarantined: 0,
        window: window(&[]),
        outage: None,
        coverage: CoverageStatus::default(),
    }
}

/// A minute of 100 calls, of which these were no hits.
fn window(others: &[(Outcome, u64)]) -> WindowStatus {
    let mut outcomes: BTreeMap<String, u64> =
        Outcome::ALL.iter().map(|outcome| (outcome.as_str().to_owned(), 0)).collect();
    let hits = 100 - others.iter().map(|(_, count)| count).sum::<u64>();
    for (outcome, count) in others.iter().chain(&[(Outcome::HitLocal, hits)]) {
        outcomes.insert(outcome.as_str().to_owned(), *count);
    }
    WindowStatus { seconds: 60, calls: 100, outcomes, oldest_age_seconds: 33.1 }
}

/// A gateway with one backend, of whose last 100 calls these were no hits.
fn served(others: &[(Outcome, u64)]) -> Status {
    let users = BackendStatus { window: window(others), ..backend("users", &["rotating", "rotating"]) };
    status(vec![users])
}

fn status(backends: Vec<BackendStatus>) -> Status {
    Status {
        version: "0.1.0".to_owned(),
        uptime_seconds: 12.5,
        config: ConfigStatus {
            age_seconds: 10.0,
            generation: 1,
            last_reload: "ok".to_owned(),
            ..ConfigStatus::default()
        },
        backends,
        local: LocalStatus { entries: 10, bytes: 1000 },
        shared: SharedStatus { configured: true, up: true, servers: vec![] },
        certificates: Vec::new(),
        switches: Vec::new(),
        verification: Vec::new(),
    }
}

/// An admin endpoint that answers once, with these bytes.
fn answering(reply: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        assert!(request[..read].starts_with(b"GET /v1/status "));
        stream.write_all(reply.as_bytes()).unwrap();
    });
    address.to_string()
}

fn page(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_healthy_gateway_is_ok_on_one_line_with_performance_data() {
    let body = serde_json::to_string(&served(&[(Outcome::Stale, 60), (Outcome::StaleIfError, 3)])).unwrap();
    let admin = answering(page(&body));
    let (line, code) = run(&asked(&[&admin, "--age-warning", "60", "--config-age-critical", "~:86400"]));
    assert_eq!(
        line,
        "LARDER OK - 2 of 2 endpoints healthy, 0% failed, 0% got a fallback, \
         3.0% stale for a fault (users: 3 of 100 calls), 0% stale for a slow backend, oldest 33 s, no outage, no calls to cover, \
         config 10 s old | \
         'healthy'=100%;100:;50:;0;100 'failed'=0%;1;10;0;100 'fallback'=0%;1;25;0;100 \
         'stale_if_error'=3%;5;50;0;100 'stale_if_slow'=0%;25;;0;100 'oldest'=33.1s;60;;0 'outage'=0s;;;0 'coverage'=100%;;;0;100 'config_age'=10s;;~:86400;0"
    );
    assert_eq!(code, 0);
}

#[test]
fn the_worst_figure_decides() {
    let two = |one, other| status(vec![backend("users", &[one, other])]);
    let down = {
        let mut status = two("rotating", "ejected");
        status.backends[0].down = true;
        status
    };
    let reload = {
        let mut status = two("rotating", "rotating");
        status.config.last_reload = "rules.toml:3: no | such\noption".to_owned();
        status
    };
    let away = {
        let mut status = two("rotating", "rotating");
        status.shared.up = false;
        status
    };
    let other = status(vec![backend("users", &["rotating"; 8]), backend("teams", &["ejected"])]);
    let table: [(Status, &[&str], State); 10] = [
        (two("rotating", "ejected"), &[], State::Warning),
        (two("rotating", "ejected"), &["--healthy-critical", "75:"], State::Critical),
        (two("ejected", "ejected"), &[], State::Critical),
        (down, &[], State::Critical),
        (status(vec![backend("users", &[])]), &[], State::Critical),
        (other.clone(), &[], State::Critical),
        (other, &["--backend", "users"], State::Ok),
        (two("rotating", "rotating"), &["--age-critical", "30"], State::Critical),
        (reload, &[], State::Warning),
        (away, &[], State::Warning),
    ];
    for (status, words, expected) in table {
        let (state, text) = judge(&asked(words), &status, None);
        assert_eq!(state, expected, "{text}");
        assert_eq!(text.matches('|').count(), 1, "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn a_minute_without_calls_is_fine() {
    let mut quiet = status(vec![backend("users", &["rotating"])]);
    quiet.backends[0].window =
        WindowStatus { seconds: 60, calls: 0, outcomes: BTreeMap::new(), oldest_age_seconds: 0.0 };
    assert_eq!(judge(&asked(&[]), &quiet, None).0, State::Ok);
}

#[test]
fn calls_that_a_fault_spoilt_alert_and_routine_ones_do_not() {
    let table: [(Outcome, u64, State); 9] = [
        (Outcome::Failed, 100, State::Critical),
        (Outcome::Failed, 2, State::Warning),
        (Outcome::Failed, 1, State::Ok),
        (Outcome::Fallback, 100, State::Critical),
        (Outcome::Fallback, 2, State::Warning),
        (Outcome::StaleIfError, 51, State::Critical),
        (Outcome::StaleIfError, 6, State::Warning),
        (Outcome::Stale, 100, State::Ok),
        (Outcome::Passed, 100, State::Ok),
    ];
    for (outcome, count, expected) in table {
        let (state, text) = judge(&asked(&[]), &served(&[(outcome, count)]), None);
        assert_eq!(state, expected, "{text}");
        let told = text.contains(&format!("(users: {count} of 100 calls)"));
        assert_eq!(told, outcome != Outcome::Stale && outcome != Outcome::Passed, "{text}");
    }
}

#[test]
fn every_share_has_ranges_of_its_own() {
    for (outcome, option) in [
        (Outcome::Failed, "failed"),
        (Outcome::Fallback, "fallback"),
        (Outcome::StaleIfError, "stale-if-error"),
    ] {
        let judged = |words: &[&str]| judge(&asked(words), &served(&[(outcome, 40)]), None).0;
        let (warning, critical) = (format!("--{option}-warning"), format!("--{option}-critical"));
        assert_eq!(judged(&[&warning, "40", &critical, "40"]), State::Ok);
        assert_eq!(judged(&[&warning, "39", &critical, "40"]), State::Warning);
        assert_eq!(judged(&[&warning, "40", &critical, "39"]), State::Critical);
    }
}

#[test]
fn the_backend_that_is_worst_decides_and_is_named() {
    let failing = |name, failed| BackendStatus {
        window: window(&[(Outcome::Failed, failed)]),
        ..backend(name, &["rotating"])
    };
    let both = status(vec![failing("users", 0), failing("teams", 80), failing("orders", 30)]);
    let (state, text) = judge(&asked(&[]), &both, None);
    assert_eq!(state, State::Critical);
    assert!(text.contains("80.0% failed (teams: 80 of 100 calls) (critical)"), "{text}");
    assert!(text.contains("'failed'=80%;1;10;0;100"), "{text}");
    assert_eq!(judge(&asked(&["--backend", "users"]), &both, None).0, State::Ok);
    let (_, text) = judge(&asked(&["--backend", "orders"]), &both, None);
    assert!(text.contains("30.0% failed (orders: 30 of 100 calls)"), "{text}");
}

#[test]
fn coverage_is_that_of_the_backend_where_it_is_least_a_minute_into_an_outage() {
    let covered = |name, calls, kept: [u64; 2], fallback| {
        let at =
            |(seconds, kept)| AnsweredStatus { seconds, kept, backup: 0, fallback, learnt: calls - kept };
        let after = [0, 60].into_iter().zip(kept).map(at).collect();
        let coverage = CoverageStatus { seconds: 300, calls, after, methods: Vec::new() };
        BackendStatus { coverage, ..backend(name, &["rotating"]) }
    };
    let three = [
        covered("users", 100, [90, 80], 10),
        covered("teams", 100, [90, 50], 5),
        covered("quiet", 0, [0, 0], 0),
    ];
    let (state, text) = judge(&asked(&["--coverage-warning", "60:"]), &status(three.to_vec()), None);
    assert_eq!(state, State::Warning);
    assert!(text.contains("55.0% covered in an outage (teams: 55 of 100 calls) (warning)"), "{text}");
    assert!(text.contains("'coverage'=55%;60:;;0;100"), "{text}");
    let (state, _) = judge(&asked(&["--coverage-critical", "60:"]), &status(three.to_vec()), None);
    assert_eq!(state, State::Critical);
}

#[test]
fn the_longest_outage_that_lasts_is_told_and_judged() {
    let down = |name: &str, seconds| {
        let outage = Outage {
            backend: name.to_owned(),
            began_unix_seconds: 1e9,
            ended_unix_seconds: None,
            seconds,
            interrupted: false,
            endpoints: BTreeMap::new(),
            coverage_percent: None,
            calls: OutageCalls::default(),
            oldest_age_seconds: 0.0,
        };
        BackendStatus { outage: Some(outage), ..backend(name, &["rotating"]) }
    };
    let status = status(vec![backend("users", &["rotating"]), down("teams", 90.4), down("orders", 12.0)]);
    let (state, text) = judge(&asked(&["--outage-warning", "60"]), &status, None);
    assert_eq!(state, State::Warning);
    assert!(text.contains("outage of teams for 90 s (warning)"), "{text}");
    assert!(text.contains("'outage'=90.4s;60;;0"), "{text}");
    assert_eq!(judge(&asked(&["--outage-critical", "120"]), &status, None).0, State::Ok);
}

#[test]
fn a_backend_that_lacks_endpoints_is_named() {
    let mut down = backend("teams", &["ejected", "ejected"]);
    down.down = true;
    let some =
        status(vec![backend("users", &["rotating"]), backend("orders", &["rotating", "ejected"]), down]);
    let (_, text) = judge(&asked(&[]), &some, None);
    assert!(
        text.starts_with("2 of 5 endpoints healthy (orders: 1 of 2; teams is down) (critical)"),
        "{text}"
    );
}

#[test]
fn an_unreachable_gateway_is_critical() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (line, code) = run(&asked(&["--admin", &closed]));
    assert!(line.starts_with(&format!("LARDER CRITICAL - no gateway answers at {closed}: ")), "{line}");
    assert_eq!(code, 2);
}

#[test]
fn a_silent_gateway_is_critical() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = listener.local_addr().unwrap().to_string();
    let (line, code) = run(&asked(&["--admin", &admin, "--timeout", "50ms"]));
    assert_eq!((line.starts_with("LARDER CRITICAL - "), code), (true, 2), "{line}");
}

#[test]
fn what_is_no_gateway_is_unknown() {
    let replies = [
        page("{\"version\": 1}"),
        page("hello | there"),
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
    ];
    for reply in replies {
        let (line, code) = run(&asked(&["--admin", &answering(reply.clone())]));
        assert_eq!(
            (line.starts_with("LARDER UNKNOWN - what answers at "), code),
            (true, 3),
            "{reply}: {line}"
        );
    }
}

#[test]
fn a_backend_that_does_not_exist_is_unknown() {
    let (state, text) =
        judge(&asked(&["--backend", "teams"]), &status(vec![backend("users", &["rotating"])]), None);
    assert_eq!((state, text.as_str()), (State::Unknown, "the gateway has no backend teams"));
}

#[test]
fn a_range_that_is_none_is_bad_usage() {
    assert!(Command::try_parse_from(["nagios", "--stale-warning", "5%"]).is_err());
}

#[test]
fn an_idle_address_of_a_name_is_no_lack_of_health() {
    let mut name = backend("users", &["rotating", "ejected"]);
    name.endpoints[1].idle = true;
    let (state, text) = judge(&asked(&[]), &status(vec![name]), None);
    assert_eq!(state, State::Ok, "{text}");
    assert!(text.starts_with("1 of 1 endpoints healthy"), "{text}");
}
