//! `larder tap`: calls as a gateway answers them, for few who watch, and at no cost to who calls.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

use crate::harness::*;

/// The events of a gateway's calls, as a browser gets them.
struct Tap {
    lines: Lines<BufReader<TcpStream>>,
}

impl Tap {
    fn open(gateway: &Gateway, query: &str) -> TcpStream {
        let mut stream = TcpStream::connect(gateway.admin()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /v1/tap?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    }

    /// One that has begun.
    fn begin(gateway: &Gateway, query: &str) -> Self {
        let mut lines = BufReader::new(Self::open(gateway, query)).lines();
        let status = lines.next().unwrap().unwrap();
        assert!(status.contains("200"), "{status}");
        lines.find(|line| line.as_ref().unwrap().is_empty()).unwrap().unwrap();
        Self { lines }
    }

    /// The next call.
    fn call(&mut self) -> Json {
        serde_json::from_str(&self.value("data: ")).unwrap()
    }

    /// What follows these words on the next line that begins with them.
    fn value(&mut self, words: &str) -> String {
        let mut values = self.lines.by_ref().map(|line| line.unwrap());
        values.find_map(|line| line.strip_prefix(words).map(str::to_owned)).unwrap()
    }
}

fn tap(gateway: &Gateway, words: &[&str]) -> Command {
    let mut command = larder();
    command.arg("tap").arg(gateway.admin().to_string()).args(words).stdout(Stdio::piped());
    command
}

#[track_caller]
fn refused(gateway: &Gateway, words: &[&str]) -> String {
    let Output { status, stderr, .. } = tap(gateway, words).output().unwrap();
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).unwrap()
}

#[test]
fn each_call_is_told_with_what_became_of_it_and_where_it_was_asked() {
    let mut backend = backend();
    let gateway =
        gateway().endpoint(backend.address()).get_user("ttl = '1ms'\nstale_if_error = '1h'").start();
    let mut watch = Tap::begin(&gateway, "");
    let mut client = gateway.client();
    client.get_user(7);
    let miss = watch.call();
    assert_eq!(miss["method"], "UserService.getUser");
    assert_eq!((&miss["listener"], &miss["backend"]), (&"users".into(), &"users".into()));
    assert_eq!((&miss["outcome"], &miss["why"]), (&"miss".into(), &Json::Null));
    assert_eq!(miss["endpoint"], backend.address().to_string());
    assert!(miss["client"].as_str().unwrap().starts_with("127.0.0.1:") && miss["took_seconds"].is_number());
    client.call(rename_user(7, "secret"));
    let passed = watch.call();
    assert_eq!((&passed["outcome"], &passed["method"]), (&"passed".into(), &"UserService.renameUser".into()));
    assert_eq!(passed["endpoint"], backend.address().to_string());
    assert!(!passed.to_string().contains("secret"), "{passed}");
    backend.kill();
    client.get_user(7);
    let stale = watch.call();
    assert_eq!((&stale["outcome"], &stale["missed"]), (&"stale_if_error".into(), &0.into()), "{stale}");
    assert!(stale["why"].is_string() && stale["age_seconds"].as_f64().unwrap() > 0.0, "{stale}");
}

#[test]
fn the_command_shows_what_it_is_asked_for_until_its_time_is_up() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '1h'").start();
    let mut child = tap(&gateway, &["--method", "UserService.get*", "--outcome", "hit_local", "--for", "2s"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("time (UTC)"));
    let mut client = gateway.client();
    // Until the watch has begun, nothing is seen.
    let mut told = None;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| lines.next());
        while !first.is_finished() {
            client.call(rename_user(7, "new"));
            client.get_user(7);
        }
        told = first.join().unwrap();
    });
    let told = told.unwrap();
    assert!(
        told.contains(" hit_local        UserService.getUser age=0s listener=users client=127.0.0.1:"),
        "{told}"
    );
    assert!(lines.all(|line| line.contains("hit_local") || line.contains("... ")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let said = refused(&gateway, &["--outcome", "fialed"]);
    assert!(said.contains("unknown outcome fialed, did you mean failed?"), "{said}");
    assert!(refused(&gateway, &["--method", "getUser"]).contains("names no service"));
    assert_eq!(gateway.page("/v1/tap?methd=x").unwrap().0, 400);
}

#[test]
fn few_may_watch_at_one_time() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut all: Vec<Tap> = (0..8).map(|_| Tap::begin(&gateway, "")).collect();
    let said = refused(&gateway, &[]);
    assert!(said.contains("8 watch already"), "{said}");
    all.pop();
    // Whoever has gone is found out by the next sign of life.
    eventually(|| {
        let mut head = *b"HTTP/1.1 ...";
        Tap::open(&gateway, "").read_exact(&mut head).unwrap();
        head.ends_with(b"200")
    });
}

#[test]
fn who_does_not_read_holds_up_nobody_and_no_memory() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '1h'").start();
    let mut slow = Tap::begin(&gateway, "per_second=1000&outcome=hit_local");
    let mut client = gateway.client();
    let before = gateway.memory();
    for _ in 0..500 {
        client.send_together((0..100).map(|_| get_user(7)).collect());
        for _ in 0..100 {
            client.receive();
        }
    }
    assert!(gateway.memory() < before + (16 << 20), "{before} -> {}", gateway.memory());
    assert_eq!(
        gateway.outcomes("hit_local") + gateway.outcomes("miss") + gateway.outcomes("coalesced"),
        50_000
    );
    let mut seen = 0;
    while slow.call()["missed"].as_u64().unwrap() == 0 {
        seen += 1;
        assert!(seen < 50_000);
        client.get_user(7);
    }
}

#[test]
fn who_watches_keeps_no_gateway_from_its_end() {
    let backend = backend();
    let mut gateway = gateway().endpoint(backend.address()).start();
    let mut watch = Tap::begin(&gateway, "");
    gateway.terminate();
    assert_eq!(watch.value("event: "), "end");
    assert_eq!(watch.value("data: "), "the gateway stops");
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn the_top_shows_methods_keys_and_endpoints_of_a_second() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '1h'").start();
    let mut client = gateway.client();
    client.get_user(7);
    let mut child = larder();
    let child = child.arg("top").arg(gateway.admin().to_string()).arg("--once").stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut said = String::new();
    let mut out = child.stdout.take().unwrap();
    std::thread::scope(|scope| {
        let read = scope.spawn(|| out.read_to_string(&mut said).unwrap());
        while !read.is_finished() {
            client.call(rename_user(7, "new"));
            client.get_user(7);
        }
    });
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let columns = |begins: &str| {
        let line =
            said.lines().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("{begins}: {said}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(columns("UserService.getUser ")[2], "100.0", "{said}");
    assert_eq!(columns("UserService.renameUser ")[2], "0.0", "{said}");
    let called = r#"{"method": "UserService.getUser", "arguments": {"id": 7, "trace_id": "trace"}}"#;
    let explained = gateway.post("/v1/explain", called).1;
    let hashes = said.lines().filter(|line| line.starts_with("UserService.getUser "));
    let mut hashes = hashes.filter_map(|line| line.split_whitespace().nth(1)).filter(|word| word.len() == 32);
    assert!(hashes.next().is_some_and(|hash| explained.contains(&format!("\"hash\":\"{hash}\""))), "{said}");
    assert_eq!(columns("users/127.0.0.1:")[1], "rotating", "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}

#[test]
fn who_watches_a_gateway_that_hangs_is_told_so() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    gateway.pause();
    let said = refused(&gateway, &["--for", "1s"]);
    gateway.resume();
    assert!(said.contains("nothing comes within"), "{said}");
}
