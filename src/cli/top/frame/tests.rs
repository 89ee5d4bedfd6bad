//! What a frame shows of two moments, and that it fits a terminal.

use super::*;
use crate::admin::traffic::Traffic;
use serde_json::json;

fn sample(uptime: f64, hits: u64, waits: u64, tries: (u64, u64)) -> Sample {
    let outcomes = [("hit_local", hits), ("miss", waits), ("failed", tries.1), ("stale_if_error", tries.1)];
    let method = MethodTraffic {
        listener: "users".to_owned(),
        method: "UserService.getUserWithAVeryLongNameThatNobodyTypes".to_owned(),
        outcomes: outcomes.map(|(word, count)| (word.to_owned(), count)).into(),
        waits: vec![0, waits, tries.1],
    };
    let traffic =
        Traffic { uptime_seconds: uptime, bounds_seconds: vec![0.001, 0.003], methods: vec![method] };
    let endpoint = json!({
        "address": "10.0.0.1:9191", "state": "ejected", "reason": "refused", "in_flight": 2, "connections": 1,
        "answered": tries.0, "failed": tries.1
    });
    let status = json!({
        "version": "0.1.0", "uptime_seconds": uptime,
        "config": { "age_seconds": 1.0, "generation": 1, "last_reload": "ok" },
        "backends": [{
            "name": "users", "down": false, "endpoints": [endpoint],
            "window": { "seconds": 60, "calls": 0, "outcomes": {}, "oldest_age_seconds": 0.0 }
        }],
        "local": { "entries": 0, "bytes": 0 },
        "shared": { "configured": false, "up": false, "servers": [] },
    });
    Sample { traffic, status: serde_json::from_value(status).unwrap() }
}

#[test]
fn a_frame_tells_what_happened_between_two_moments_in_80_columns() {
    let (before, now) = (sample(60.0, 100, 10, (10, 0)), sample(62.0, 280, 20, (20, 10)));
    let hot = (("UserService.getUser".to_owned(), "0123456789abcdef0123456789abcdef".to_owned()), 5);
    let keys = Keys { calls: HashMap::from([hot]), seen: 20, unseen: None };
    let text = Frame { before: &before, now: &now, keys: &keys, lines: 10 }.text();
    assert_eq!(
        text,
        "larder 0.1.0, up 1m2s: 105 calls/s, 85.7 % hits, 4.8 % stale, 4.8 % failed\n\
         \n\
         method                          calls/s    hits   stale  p50 ms  p99 ms failed/s\n\
         UserService.getUserWithAVery~       105  85.7 %   4.8 %     3.0      >3      5.0\n\
         (p50 and p99 of calls that were not answered at once)\n\
         \n\
         keys by their hash                                                      of calls\n\
         UserService.getUser                 0123456789abcdef0123456789abcdef      25.0 %\n\
         \n\
         endpoint                            state            in flight  calls/s failed/s\n\
         users/10.0.0.1:9191                 ejected: refused         2       10      5.0\n"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_second_in_which_nothing_happened_is_shown_too() {
    let at = sample(60.0, 0, 0, (0, 0));
    let keys = Keys { unseen: Some("8 watch already".to_owned()), ..Keys::default() };
    let text = Frame { before: &at, now: &at, keys: &keys, lines: 10 }.text();
    assert!(text.starts_with("larder 0.1.0, up 1m: no calls\n"), "{text}");
    assert!(text.contains("\nno keys: 8 watch already\n"), "{text}");
}

#[test]
fn a_quantile_lies_within_its_bucket() {
    let bounds = [0.001, 0.003];
    assert_eq!(quantile(&[0, 0, 0], &bounds, 0.5), "-");
    assert_eq!(quantile(&[10, 10, 0], &bounds, 0.5), "1.0");
    assert_eq!(quantile(&[10, 10, 0], &bounds, 0.75), "2.0");
    assert_eq!(quantile(&[0, 0, 4], &bounds, 0.5), ">3");
}
