//! What the gateway knows of outages: how much of its calls one would leave answered, before it comes, and what its callers got after.

use serde_json::Value as Json;

use crate::harness::*;

/// Long enough to be of use after an hour, and none of it fresh for long.
const FOR_AN_HOUR: &str = "ttl = '50ms'\nstale_if_error = '2h'";
const FALLBACK: &str = "fallback = '{\"id\": 0, \"name\": \"nobody\", \"email\": \"none\"}'";
/// Eight calls of ten are for users that are known; one is for a new user, and one is passed.
const KNOWN: i64 = 8;

/// One client and what came of its calls.
struct Traffic {
    client: Client,
    next: i64,
    calls: u64,
    answered: u64,
}

impl Traffic {
    fn of(gateway: &Gateway) -> Self {
        Self { client: gateway.client(), next: 1_000, calls: 0, answered: 0 }
    }

    fn rounds(&mut self, rounds: u64) {
        for _ in 0..rounds {
            self.next += 1;
            let known = (1..=KNOWN).map(get_user);
            let others = [get_user(self.next), rename_user(1, "one")];
            for call in known.chain(others) {
                self.calls += 1;
                self.answered += u64::from(!self.client.call(call).is_exception());
            }
        }
    }

    /// The share that was answered, in percent.
    fn share(&self) -> f64 {
        self.answered as f64 * 100.0 / self.calls as f64
    }
}

fn without_fallback(backend: &Backend) -> Builder {
    gateway().endpoint(backend.address()).get_user(FOR_AN_HOUR)
}

/// The predicted share of the backend's calls, in percent.
fn coverage(gateway: &Gateway, after: &str, by: &str) -> f64 {
    let labels = [("backend", "users"), ("after", after), ("by", by)];
    gateway.metrics().sum("larder_backend_coverage_ratio", &labels) * 100.0
}

#[test]
fn coverage_told_before_a_backend_dies_is_the_share_answered_after() {
    let mut backend = backend();
    let gateway = without_fallback(&backend).start();
    Traffic::of(&gateway).rounds(40);
    let told = coverage(&gateway, "0s", "kept");
    assert_eq!(coverage(&gateway, "1h", "kept"), told);
    assert_eq!(coverage(&gateway, "24h", "kept"), 0.0);
    // What new users and the first round have taught: their own calls, made again, would be answered.
    assert!(coverage(&gateway, "1h", "learnt") > 9.0);
    backend.kill();
    let mut outage = Traffic::of(&gateway);
    outage.next = 2_000;
    outage.rounds(10);
    assert!((told - outage.share()).abs() < 3.0, "{told} was told, {} is", outage.share());
}

#[test]
fn coverage_is_told_by_method_and_a_fallback_covers_what_nothing_kept_does() {
    let backend = backend();
    let rule = format!("{FOR_AN_HOUR}\n{FALLBACK}");
    let gateway = gateway().endpoint(backend.address()).get_user(&rule).start();
    Traffic::of(&gateway).rounds(5);
    let of = |method: &str, by: &str| {
        let labels = [("method", method), ("after", "0s"), ("by", by)];
        gateway.metrics().sum("larder_coverage_ratio", &labels)
    };
    let kept = of("UserService.getUser", "kept");
    assert!((kept + of("UserService.getUser", "fallback") - 1.0).abs() < 1e-9);
    assert!(kept > 0.5 && kept < 1.0, "{kept}");
    assert_eq!((of("UserService.renameUser", "kept"), of("UserService.renameUser", "fallback")), (0.0, 0.0));
    // Who replaces the rules loses none of what was counted, and the fallback in force is what counts.
    let without = without_fallback(&backend);
    gateway.reload(&without.text());
    eventually(|| of("UserService.getUser", "fallback") == 0.0);
    assert!((of("UserService.getUser", "kept") - kept).abs() < 1e-9);
}

/// A gateway that keeps what it knows in a folder.
fn keeping(backend: &Backend, folder: &tempfile::TempDir) -> Builder {
    without_fallback(backend).section("runtime", &format!("state_dir = '{}'", folder.path().display()))
}

fn outages(gateway: &Gateway) -> Vec<Json> {
    let (status, body) = gateway.page("/v1/outages").unwrap();
    assert_eq!(status, 200);
    serde_json::from_str(&body).unwrap()
}

/// Makes calls until the gateway knows that the backend is down.
fn find_out(gateway: &Gateway) {
    let mut client = gateway.client();
    eventually(|| {
        client.call(get_user(9_999));
        !outages(gateway).is_empty()
    });
}

/// How many calls the latest outage has seen that ended so.
fn calls(gateway: &Gateway, how: &str) -> u64 {
    outages(gateway)[0]["calls"][how].as_u64().unwrap()
}

#[test]
fn an_outage_is_in_the_ledger_with_what_its_callers_got_and_a_restart_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut backend = backend();
    let mut gateway = keeping(&backend, &folder).start();
    Traffic::of(&gateway).rounds(40);
    backend.kill();
    find_out(&gateway);
    gateway.logs(&["outage begins", "\"users\"", "refused", "coverage_percent"]);
    let before = ["fresh", "stale", "failed"].map(|how| calls(&gateway, how));
    let mut traffic = Traffic::of(&gateway);
    traffic.next = 2_000;
    traffic.rounds(10);
    let [fresh, stale, failed] = ["fresh", "stale", "failed"].map(|how| calls(&gateway, how));
    assert_eq!(fresh + stale - before[0] - before[1], traffic.answered);
    assert_eq!(failed - before[2], traffic.calls - traffic.answered);
    let lasting = &outages(&gateway)[0];
    assert_eq!((&lasting["backend"], &lasting["ended_unix_seconds"]), (&Json::from("users"), &Json::Null));
    assert!((lasting["coverage_percent"].as_f64().unwrap() - traffic.share()).abs() < 3.0, "{lasting}");
    assert!(lasting["oldest_age_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(lasting["endpoints"][backend.address().to_string()][0], "refused");
    assert!(gateway.metrics().sum("larder_outage_seconds", &[("backend", "users")]) > 0.0);

    backend.revive();
    eventually(|| outages(&gateway)[0]["ended_unix_seconds"].is_number());
    gateway.logs(&["outage is over", "\"users\"", "refused"]);
    assert_eq!(gateway.metric("larder_outages_total", &[("backend", "users")]), 1);
    assert_eq!(gateway.metrics().sum("larder_outage_seconds", &[("backend", "users")]), 0.0);
    let told = outages(&gateway);
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
    let after = keeping(&backend, &folder).start();
    assert_eq!(outages(&after), told);
}

#[test]
fn an_outage_in_which_the_gateway_is_killed_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut backend = backend();
    let mut gateway = keeping(&backend, &folder).start();
    gateway.client().get_user(1);
    backend.kill();
    find_out(&gateway);
    eventually(|| folder.path().join("outages.json").exists());
    gateway.kill();
    let after = keeping(&backend, &folder).start();
    let interrupted = outages(&after);
    assert_eq!((interrupted.len(), &interrupted[0]["interrupted"]), (1, &Json::from(true)));
    assert!(interrupted[0]["ended_unix_seconds"].is_number());
}

#[test]
fn who_takes_another_ones_place_knows_what_callers_got_before() {
    let (mut backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let handover = format!("handover = '{}'", folder.path().join("handover").display());
    let keeping = keeping(&backend, &folder).section("runtime", &handover);
    let mut before = keeping.start();
    Traffic::of(&before).rounds(10);
    backend.kill();
    find_out(&before);
    Traffic::of(&before).rounds(10);
    let failed = calls(&before, "failed");
    let after = keeping.start();
    assert_eq!(before.exit_code(), Some(0));
    let told = outages(&after);
    let interrupted = told.iter().find(|outage| outage["interrupted"] == true);
    assert_eq!(interrupted.map(|outage| &outage["calls"]["failed"]), Some(&Json::from(failed)));
}
