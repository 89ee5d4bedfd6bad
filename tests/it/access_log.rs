//! The access log: a line for each call, in a file that may be moved away, and nobody who waits for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::*;

const KEPT: &str = "ttl = '60s'";

fn lines(file: &Path) -> Vec<Json> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A gateway whose access log is this file.
fn logging(backend: &Backend, file: &Path, more: &str) -> Gateway {
    let access = format!("access = '{}'\n{more}", file.display());
    gateway().section("log", &access).endpoint(backend.address()).get_user(KEPT).start()
}

#[test]
fn each_call_has_a_line_also_once_the_file_was_moved_away() {
    let (backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let (file, moved) = (folder.path().join("access.jsonl"), folder.path().join("access.jsonl.1"));
    let gateway = logging(&backend, &file, "");
    let mut client = gateway.client();
    (0..3).for_each(|_| drop(client.get_user(7)));
    eventually(|| lines(&file).len() == 3);
    let outcomes: Vec<Json> = lines(&file).iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, ["miss", "hit_local", "hit_local"]);
    let [miss, hit, _] = &lines(&file)[..] else { panic!() };
    assert_eq!((&miss["method"], &miss["listener"]), (&"UserService.getUser".into(), &"users".into()));
    assert_eq!(miss["endpoint"], backend.address().to_string());
    assert!(miss["client"].as_str().unwrap().starts_with("127.0.0.1:") && hit["age_seconds"].is_number());
    fs::rename(&file, &moved).unwrap();
    client.get_user(8);
    eventually(|| lines(&file).len() == 1);
    assert_eq!(lines(&moved).len(), 3);
}

#[test]
fn a_share_of_the_calls_may_be_enough_and_what_came_last_is_written_at_a_stop() {
    let (backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let file = folder.path().join("access.jsonl");
    let mut gateway = logging(&backend, &file, "access_percent = 10");
    let mut client = gateway.client();
    (0..100).for_each(|_| drop(client.get_user(7)));
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
    assert_eq!(lines(&file).len(), 10);
}

/// A pipe that nobody reads holds up its writer alone.
#[test]
fn who_reads_nothing_holds_up_no_call_and_no_stop() {
    let (backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut gateway = logging(&backend, &pipe, "");
    let mut client = gateway.client();
    let dropped = |gateway: &Gateway| gateway.metric("larder_access_log_dropped_total", &[]);
    eventually(|| {
        for _ in 0..20 {
            client.send_together(vec![get_user(7); 100]);
            (0..100).for_each(|_| drop(client.receive()));
        }
        dropped(&gateway) > 0
    });
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
}
