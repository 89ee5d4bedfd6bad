//! The check against gateways in every state, and against what is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use clap::Parser;

use super::*;
use crate::admin::status::{ConfigStatus, EndpointStatus, LocalStatus, SharedStatus, WindowStatus};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

fn asked(words: &[&str]) -> Arguments {
    Command::try_parse_from(["nagios"].iter().chain(words)).unwrap().arguments
}

fn backend(name: &str, states: &[&str]) -> BackendStatus {
    let endpoint = |state: &&str| EndpointStatus {
        address: "127.0.0.1:9191".to_owned(),
        state: (*state).to_owned(),
        in_flight: 1,
        connections: 3,
    };
    BackendStatus { name: name.to_owned(), down: false, endpoints: states.iter().map(endpoint).collect() }
}

fn status(backends: Vec<BackendStatus>) -> Status {
    Status {
        version: "0.1.0".to_owned(),
        uptime_seconds: 12.5,
        config: ConfigStatus { age_seconds: 10.0, generation: 1, last_reload: "ok".to_owned() },
        window: WindowStatus { seconds: 60, calls: 100, stale: 3, failed: 0, oldest_age_seconds: 33.1 },
        backends,
        local: LocalStatus { entries: 10, bytes: 1000 },
        shared: SharedStatus { configured: true, up: true },
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
        assert!(request[..read].starts_with(b"GET /status "));
        stream.write_all(reply.as_bytes()).unwrap();
    });
    address.to_string()
}

fn page(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_healthy_gateway_is_ok_on_one_line_with_performance_data() {
    let body = serde_json::to_string(&status(vec![backend("users", &["rotating", "rotating"])])).unwrap();
    let admin = answering(page(&body));
    let (line, code) =
        run(&asked(&["--admin", &admin, "--age-warning", "60", "--config-age-critical", "~:86400"]));
    assert_eq!(
        line,
        "LARDER OK - 2 of 2 endpoints healthy, 3.0% served stale, oldest 33 s, config 10 s old | \
         'healthy'=100%;100:;50:;0;100 'stale'=3%;5;50;0;100 'oldest'=33.1s;60;;0 'config_age'=10s;;~:86400;0"
    );
    assert_eq!(code, 0);
}

#[test]
fn the_worst_figure_decides() {
    let two = |one, other| status(vec![backend("users", &[one, other])]);
    let stale = |stale| {
        let mut status = two("rotating", "rotating");
        status.window.stale = stale;
        status
    };
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
    let other = status(vec![backend("users", &["rotating"; 8]), backend("teams", &["ejected"])]);
    let table: [(Status, &[&str], State); 11] = [
        (two("rotating", "ejected"), &[], State::Warning),
        (two("rotating", "probing"), &["--healthy-critical", "75:"], State::Critical),
        (two("ejected", "ejected"), &[], State::Critical),
        (down, &[], State::Critical),
        (status(vec![backend("users", &[])]), &[], State::Critical),
        (other.clone(), &[], State::Critical),
        (other, &["--backend", "users"], State::Ok),
        (stale(6), &[], State::Warning),
        (stale(51), &[], State::Critical),
        (two("rotating", "rotating"), &["--age-critical", "30"], State::Critical),
        (reload, &[], State::Warning),
    ];
    for (status, words, expected) in table {
        let (state, text) = judge(&asked(words), &status);
        assert_eq!(state, expected, "{text}");
        assert_eq!(text.matches('|').count(), 1, "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn a_minute_without_calls_is_fine() {
    let mut quiet = status(vec![backend("users", &["rotating"])]);
    quiet.window = WindowStatus { seconds: 60, calls: 0, stale: 0, failed: 0, oldest_age_seconds: 0.0 };
    assert_eq!(judge(&asked(&[]), &quiet).0, State::Ok);
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
        judge(&asked(&["--backend", "teams"]), &status(vec![backend("users", &["rotating"])]));
    assert_eq!((state, text.as_str()), (State::Unknown, "the gateway has no backend teams"));
}

#[test]
fn a_range_that_is_none_is_bad_usage() {
    assert!(Command::try_parse_from(["nagios", "--stale-warning", "5%"]).is_err());
}
