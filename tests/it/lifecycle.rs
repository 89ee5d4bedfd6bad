//! Starting, draining, reloading; and what an operator sees meanwhile.

use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Output;

use tempfile::TempDir;

use crate::harness::*;

const KEPT: &str = "ttl = '60s'";

#[test]
fn a_terminated_gateway_answers_what_it_has_read() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let mut gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send(get_user(7));
    eventually(|| backend.calls() == 1);
    gateway.terminate();
    eventually(|| TcpStream::connect(gateway.address()).is_err());
    backend.release();
    assert_eq!(client.receive().user_id(), 7);
    assert!(client.is_closed_unanswered());
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_terminated_gateway_closes_idle_connections() {
    let backend = backend();
    let mut gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.get_user(7);
    gateway.terminate();
    assert!(client.is_closed_unanswered());
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_draining_gateway_is_alive_and_not_ready() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send(get_user(7));
    eventually(|| backend.calls() == 1);
    gateway.terminate();
    eventually(|| gateway.page("/readyz").is_some_and(|(status, _)| status == 503));
    assert_eq!(gateway.page("/livez").map(|(status, _)| status), Some(200));
    backend.release();
    client.receive();
}

#[test]
fn rules_are_read_again_on_a_hangup() {
    let backend = backend();
    let plain = gateway().endpoint(backend.address());
    let gateway = plain.start();
    let mut client = gateway.client();
    assert_ne!(client.get_user(7).email(), client.get_user(7).email());
    gateway.reload(&plain.clone().get_user(KEPT).text());
    // The connection stands all the while.
    eventually(|| client.get_user(7).email() == client.get_user(7).email());
    gateway.reload(&plain.text());
    eventually(|| client.get_user(7).email() != client.get_user(7).email());
}

#[test]
fn a_bad_file_leaves_the_old_rules_in_force() {
    let backend = backend();
    let caching = gateway().endpoint(backend.address()).get_user(KEPT);
    let gateway = caching.start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    gateway.reload(&caching.text().replace("ttl", "tll"));
    gateway.logs(&["tll"]);
    assert_eq!(client.get_user(7).email(), known);
    assert!(gateway.log().iter().any(|line| line.contains("did you mean")), "it does not say why");
}

#[test]
fn a_reload_by_command_says_what_it_came_to() {
    let backend = backend();
    let plain = gateway().endpoint(backend.address());
    let gateway = plain.start();
    let mut client = gateway.client();
    gateway.configure(&plain.clone().section("cache.local", "capacity = '8MiB'").get_user(KEPT).text());
    let (status, answer) = gateway.command("/v1/reload");
    assert_eq!((status, &answer["result"]), (200, &"applied".into()));
    assert_eq!(answer["needs_restart"], serde_json::json!(["cache.local.capacity"]));
    // What is answered as applied is in force.
    assert_eq!(client.get_user(7).email(), client.get_user(7).email());
    gateway.configure(&plain.get_user("tll = '60s'\nmodus = 'on'").text());
    let (status, answer) = gateway.command("/v1/reload");
    assert_eq!((status, &answer["result"]), (422, &"refused".into()));
    let problems = answer["problems"].to_string();
    assert!(problems.contains("tll") && problems.contains("modus"), "{problems}");
    assert_eq!(client.get_user(7).email(), client.get_user(7).email());
}

#[test]
fn operators_may_name_the_gateway_by_what_is_listed() {
    let listed =
        gateway().section("admin", "hosts = ['gateway.example']").endpoint(backend().address()).start();
    assert_eq!(listed.page_as("/v1/status", "gateway.example"), 200);
    assert_eq!(listed.page_as("/v1/status", "other.example"), 421);
}

#[test]
fn operators_are_answered_while_clients_have_all_connections() {
    let backend = backend();
    let gateway = gateway().section("limits", "connections = 1").endpoint(backend.address()).start();
    let mut one = gateway.client();
    one.get_user(7);
    assert!(gateway.client().is_closed_unanswered());
    assert_eq!(gateway.page("/livez").map(|(status, _)| status), Some(200));
    assert_eq!(gateway.command("/v1/reload").0, 200);
}

/// A rule made longer in the middle of an outage reaches what is kept already.
#[test]
fn an_operator_may_lengthen_a_window_during_an_outage() {
    let mut backend = backend();
    let short = gateway().endpoint(backend.address()).get_user("ttl = '50ms'");
    let gateway = short.start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    backend.kill();
    pass(ms(60));
    assert!(client.get_user(7).is_exception());
    gateway.reload(&short.text().replace("ttl = '50ms'", "ttl = '50ms'\nstale_if_error = '1h'"));
    eventually(|| !client.get_user(7).is_exception());
    assert_eq!(client.get_user(7).email(), known);
}

#[test]
fn a_gateway_is_ready_while_everything_behind_it_is_gone() {
    let (mut backend, mut redis) = (backend(), redis());
    let gateway = gateway().endpoint(backend.address()).shared(&redis).get_user(KEPT).start();
    backend.kill();
    redis.kill();
    gateway.client().get_user(7);
    assert_eq!(gateway.page("/readyz").map(|(status, _)| status), Some(200));
    assert_eq!(gateway.page("/livez").map(|(status, _)| status), Some(200));
}

#[test]
fn the_metrics_tell_calls_times_and_ages() {
    let backend = backend();
    let rule = "ttl = '100ms'\nstale_while_revalidate = '60s'";
    let gateway = gateway().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    client.get_user(7);
    backend.stall();
    pass(ms(110));
    client.get_user(7);
    let metrics = gateway.metrics();
    let stale = [("listener", "users"), ("method", "UserService.getUser"), ("outcome", "stale")];
    assert_eq!(metrics.sum("larder_calls_total", &stale) as u64, 1);
    assert_eq!(metrics.sum("larder_call_seconds_count", &[("outcome", "stale")]) as u64, 1);
    assert_eq!(metrics.sum("larder_served_age_seconds_count", &[("outcome", "stale")]) as u64, 1);
    assert_eq!(metrics.sum("larder_local_entries", &[]) as u64, 1);
    assert!(metrics.sum("larder_local_bytes", &[]) > 0.0);
    assert!(metrics.has("larder_endpoint_state", &[("backend", "users")]));
}

#[test]
fn the_status_page_is_json() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let (status, body) = gateway.page("/v1/status").unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{body}");
}

/// What the Nagios plugin says of the gateway with this admin endpoint.
fn nagios(admin: std::net::SocketAddr) -> Output {
    larder().arg("nagios").arg("--admin").arg(admin.to_string()).output().unwrap()
}

/// The plugin's exit code, checked to fit its one line of text with performance data.
#[track_caller]
fn state(output: &Output, word: &str) -> Option<i32> {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(word), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    output.status.code()
}

#[test]
fn nagios_is_content_with_a_healthy_gateway() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    gateway.client().get_user(7);
    let output = nagios(gateway.admin());
    assert_eq!(state(&output, "OK"), Some(0));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains('|') && text.contains('='), "no performance data: {text}");
}

#[test]
fn nagios_is_content_with_routine_revalidation_and_alarmed_by_failing_calls() {
    let backend = backend();
    let rule = "ttl = '50ms'\nstale_while_revalidate = '60s'";
    let gateway = gateway().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    client.get_user(7);
    eventually(|| {
        client.get_user(7);
        gateway.outcomes("stale") > 0
    });
    assert_eq!(state(&nagios(gateway.admin()), "OK"), Some(0));
    // A closed connection blames no endpoint: all are healthy, and every call fails.
    backend.does("getUser", Act::Close);
    (100..200).for_each(|id| assert!(client.call(get_user(id)).is_exception()));
    let output = nagios(gateway.admin());
    assert_eq!(state(&output, "CRITICAL"), Some(2));
    state(&output, "% failed (users: ");
    assert_eq!(state(&output, "1 of 1 endpoints healthy, "), Some(2));
}

#[test]
fn nagios_finds_a_gateway_by_name_and_by_url() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let port = gateway.admin().port();
    for admin in [format!("localhost:{port}"), format!("http://127.0.0.1:{port}/")] {
        let output = larder().args(["nagios", "--admin", &admin]).output().unwrap();
        assert_eq!(state(&output, "OK"), Some(0));
    }
}

#[test]
fn nagios_is_alarmed_by_a_dead_backend() {
    let mut backend = backend();
    let gateway =
        gateway().backend("ejection_failures = 1\nejection_time = '20s'").endpoint(backend.address()).start();
    backend.kill();
    gateway.client().get_user(7);
    assert_eq!(state(&nagios(gateway.admin()), "CRITICAL"), Some(2));
}

#[test]
fn nagios_takes_an_unreachable_gateway_for_critical() {
    let mut gateway = gateway().endpoint(backend().address()).start();
    let admin = gateway.admin();
    gateway.kill();
    assert_eq!(state(&nagios(admin), "CRITICAL"), Some(2));
}

#[test]
fn the_version_is_told() {
    let output = larder().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), concat!("larder ", env!("CARGO_PKG_VERSION")));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn bad_usage_has_its_own_exit_code() {
    assert_eq!(larder().arg("sevre").output().unwrap().status.code(), Some(64));
    assert_eq!(larder().args(["serve", "--confg", "x"]).output().unwrap().status.code(), Some(64));
}

#[test]
fn serve_and_check_take_a_file_with_and_without_the_option() {
    let text = gateway().endpoint(backend().address()).text();
    let (good, bad) = (text.as_str(), "[runtime]\nthreads = 2\nthraeds = 3\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    let run = |words: &[&str]| larder().args(words).arg(&file).output().unwrap().status.code();
    std::fs::write(&file, bad).unwrap();
    for words in [&["serve"][..], &["serve", "--config"], &["check"], &["check", "--config"]] {
        assert_eq!(run(words), Some(78), "{words:?}");
    }
    std::fs::write(&file, good).unwrap();
    assert_eq!((run(&["check"]), run(&["check", "--config"])), (Some(0), Some(0)));
    assert_eq!((run(&["check", "a", "--config"]), run(&["serve", "a", "--config"])), (Some(64), Some(64)));
    let sample = larder().arg("check").output().unwrap();
    assert!(String::from_utf8(sample.stdout).unwrap().starts_with("the sample inside the program: good"));
}

#[test]
fn a_port_in_use_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = gateway().endpoint(backend().address()).text();
    let text =
        text.replacen("[admin]\nbind = '127.0.0.1:0'", &format!("[admin]\nbind = '127.0.0.1:{port}'"), 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    std::fs::write(&file, text).unwrap();
    let output = larder().arg("serve").arg("--config").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&port.to_string()));
}

#[test]
fn argument_values_are_never_logged() {
    let mut backend = backend();
    let gateway = gateway()
        .section("log", "level = 'debug'")
        .endpoint(backend.address())
        .get_user("ttl = '50ms'")
        .start();
    let mut client = gateway.client();
    client.call(get_user_traced(7, "open-sesame"));
    backend.kill();
    assert!(client.call(get_user_traced(8, "open-sesame")).is_exception());
    gateway.logs(&["getUser"]);
    assert!(!gateway.log().iter().any(|line| line.contains("open-sesame")));
}

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// The next message, in which every number is `N`.
    fn hears(&self) -> String {
        let mut message = [0; 256];
        let length = self.socket.recv(&mut message).expect("it says nothing");
        let text = std::str::from_utf8(&message[..length]).unwrap().trim_end().replace('\n', " ");
        let is_number = |word: &str| word.chars().all(|one| one.is_ascii_digit());
        let words = text.split(' ').map(|word| match word.split_once('=') {
            Some((name, value)) if value.len() > 1 && is_number(value) => format!("{name}=N"),
            Some(_) | None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The next message that is no sign of life.
    fn hears_news(&self) -> String {
        std::iter::repeat_with(|| self.hears()).find(|message| message != "WATCHDOG=1").unwrap()
    }
}

#[test]
fn a_service_manager_is_told_how_the_gateway_does() {
    let (backend, manager) = (backend(), Manager::new());
    let text = gateway().endpoint(backend.address()).text();
    let mut gateway = Gateway::start_notifying(&text, &manager.path(), 50_000);
    assert_eq!(manager.hears_news(), "MAINPID=N READY=1");
    for _ in 0..3 {
        assert_eq!(manager.hears(), "WATCHDOG=1");
    }
    gateway.reload(&text);
    assert_eq!(manager.hears_news(), "RELOADING=1 MONOTONIC_USEC=N");
    assert_eq!(manager.hears_news(), "MAINPID=N READY=1");
    gateway.terminate();
    assert_eq!(manager.hears_news(), "STOPPING=1");
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn who_takes_another_ones_place_is_the_one_to_watch() {
    let (backend, manager) = (backend(), Manager::new());
    let path = manager.folder.path().join("handover");
    let handover = format!("handover = '{}'", path.display());
    let text = gateway().endpoint(backend.address()).section("runtime", &handover).text();
    let mut before = Gateway::start_notifying(&text, &manager.path(), 3_600_000_000);
    let mut after = Gateway::start_notifying(&text, &manager.path(), 3_600_000_000);
    assert_eq!(before.exit_code(), Some(0));
    after.terminate();
    assert_eq!(after.exit_code(), Some(0));
    let told = [(); 3].map(|()| manager.hears_news());
    assert_eq!(
        told,
        ["MAINPID=N READY=1", "MAINPID=N READY=1", "STOPPING=1"],
        "the first one's end is no end"
    );
}
