//! The outage matrix: what answers, by what the local tier has, what the shared one has, and whether backends answer.

use crate::harness::*;

/// A rule whose entries are fresh for a moment and answer in an outage for a minute.
const FOR_OUTAGES: &str = "ttl = '100ms'\nstale_if_error = '60s'";
/// The same, with a minute of revalidation before.
const REVALIDATED: &str = "ttl = '100ms'\nstale_while_revalidate = '60s'\nstale_if_error = '120s'";
/// Past the ttl of both.
const STALE: std::time::Duration = ms(120);

/// A backend, a Redis, and a gateway that knows user 7.
struct Scene {
    backend: Backend,
    redis: Redis,
    gateway: Gateway,
    known: String,
}

impl Scene {
    fn with(rule: &str) -> Self {
        let (backend, redis) = (backend(), redis());
        let gateway = gateway_of(&backend, &redis, rule);
        let known = gateway.client().get_user(7).email();
        redis.only_key();
        Self { backend, redis, gateway, known }
    }

    /// The email that user 7 has for a new client.
    #[track_caller]
    fn answer(&self) -> String {
        self.gateway.client().get_user(7).email()
    }

    /// A second gateway, whose local tier is empty.
    fn other(&self, rule: &str) -> Gateway {
        gateway_of(&self.backend, &self.redis, rule)
    }
}

fn gateway_of(backend: &Backend, redis: &Redis, rule: &str) -> Gateway {
    let gateway = gateway().endpoint(backend.address()).shared(redis).get_user(rule).start();
    gateway.finds_redis();
    gateway
}

#[test]
fn local_fresh_backend_up() {
    let scene = Scene::with("ttl = '60s'");
    assert_eq!(scene.answer(), scene.known);
    assert_eq!(scene.gateway.outcomes("hit_local"), 1);
}

#[test]
fn local_fresh_backend_down() {
    let mut scene = Scene::with("ttl = '60s'");
    scene.backend.kill();
    assert_eq!(scene.answer(), scene.known);
    assert_eq!(scene.gateway.outcomes("hit_local"), 1);
}

#[test]
fn local_revalidated_backend_up() {
    let scene = Scene::with(REVALIDATED);
    pass(STALE);
    assert_eq!(scene.answer(), scene.known);
    eventually(|| scene.answer() != scene.known);
}

#[test]
fn an_entry_that_answers_while_it_is_refreshed_is_not_logged() {
    let mut backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user(REVALIDATED).start();
    let mut client = gateway.client();
    client.get_user(7);
    pass(STALE);
    client.get_user(7);
    assert_eq!(gateway.outcomes("stale"), 1);
    backend.kill();
    assert!(client.call(get_user(8)).is_exception());
    // Lines come in their order: the one of the later call is there.
    gateway.logs(&["\"WARN\"", "\"failed\"", "\"backend\":\"users\"", "getUser"]);
    let stale = gateway.log().into_iter().find(|line| line.contains("\"stale\""));
    assert_eq!(stale, None);
}

#[test]
fn local_revalidated_backend_down() {
    let mut scene = Scene::with(REVALIDATED);
    scene.backend.kill();
    pass(STALE);
    assert_eq!(scene.answer(), scene.known);
    assert_eq!(scene.gateway.outcomes("stale"), 1);
    // The refresh has failed; the entry lives on.
    eventually(|| scene.gateway.metric("larder_faults_total", &[]) > 0);
    assert_eq!(scene.answer(), scene.known);
}

#[test]
fn local_stale_shared_newer_backend_up() {
    let scene = Scene::with("ttl = '2s'\nstale_if_error = '60s'");
    pass(ms(2050));
    let key = scene.redis.only_key();
    let old = scene.redis.value(&key);
    let other = scene.other("ttl = '2s'\nstale_if_error = '60s'");
    let newer = other.client().get_user(7).email();
    eventually(|| scene.redis.value(&key) != old);
    assert_eq!(scene.answer(), newer);
    assert_eq!((scene.backend.calls(), scene.gateway.outcomes("hit_shared")), (2, 1));
}

#[test]
fn local_stale_shared_newer_backend_down() {
    let mut scene = Scene::with("ttl = '100ms'\nstale_if_error = '60s'");
    pass(STALE);
    let key = scene.redis.only_key();
    let old = scene.redis.value(&key);
    let other = scene.other(FOR_OUTAGES);
    let newer = other.client().get_user(7).email();
    eventually(|| scene.redis.value(&key) != old);
    scene.backend.kill();
    assert_eq!(scene.answer(), newer);
}

#[test]
fn local_stale_shared_no_newer_backend_up() {
    let scene = Scene::with(FOR_OUTAGES);
    let key = scene.redis.only_key();
    let old = scene.redis.value(&key);
    pass(STALE);
    assert_ne!(scene.answer(), scene.known);
    // Both tiers are filled.
    eventually(|| scene.redis.value(&key) != old);
}

#[test]
fn local_stale_shared_no_newer_backend_down() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.backend.kill();
    pass(STALE);
    assert_eq!(scene.answer(), scene.known);
    assert_eq!(scene.gateway.outcomes("stale_if_error"), 1);
}

#[test]
fn local_stale_shared_down_backend_up() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.redis.kill();
    pass(STALE);
    assert_ne!(scene.answer(), scene.known);
}

#[test]
fn local_stale_shared_down_backend_down() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.redis.kill();
    scene.backend.kill();
    pass(STALE);
    assert_eq!(scene.answer(), scene.known);
    assert_eq!(scene.gateway.outcomes("stale_if_error"), 1);
}

#[test]
fn nothing_local_shared_fresh_backend_up() {
    let scene = Scene::with("ttl = '60s'");
    let other = scene.other("ttl = '60s'");
    assert_eq!(other.client().get_user(7).email(), scene.known);
    assert_eq!(other.outcomes("hit_shared"), 1);
    // It was promoted.
    assert_eq!(other.client().get_user(7).email(), scene.known);
    assert_eq!(other.outcomes("hit_local"), 1);
}

#[test]
fn nothing_local_shared_fresh_backend_down() {
    let mut scene = Scene::with("ttl = '60s'");
    scene.backend.kill();
    assert_eq!(scene.other("ttl = '60s'").client().get_user(7).email(), scene.known);
}

#[test]
fn nothing_local_shared_revalidated_backend_up() {
    let scene = Scene::with(REVALIDATED);
    pass(STALE);
    let other = scene.other(REVALIDATED);
    assert_eq!(other.client().get_user(7).email(), scene.known);
    eventually(|| other.client().get_user(7).email() != scene.known);
}

#[test]
fn nothing_local_shared_revalidated_backend_down() {
    let mut scene = Scene::with(REVALIDATED);
    scene.backend.kill();
    pass(STALE);
    assert_eq!(scene.other(REVALIDATED).client().get_user(7).email(), scene.known);
}

#[test]
fn nothing_local_shared_stale_backend_up() {
    let scene = Scene::with(FOR_OUTAGES);
    pass(STALE);
    assert_ne!(scene.other(FOR_OUTAGES).client().get_user(7).email(), scene.known);
}

#[test]
fn nothing_local_shared_stale_backend_down() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.backend.kill();
    pass(STALE);
    let other = scene.other(FOR_OUTAGES);
    assert_eq!(other.client().get_user(7).email(), scene.known);
    assert_eq!(other.outcomes("stale_if_error"), 1);
}

/// What the shared tier has must survive the wait for a backend that never answers.
#[test]
fn nothing_local_shared_stale_backend_stopped() {
    let rule = "ttl = '100ms'\nstale_if_error = '60s'\ntimeout = '300ms'";
    let scene = Scene::with(rule);
    scene.backend.stall();
    pass(STALE);
    let other = scene.other(rule);
    assert_eq!(other.client().get_user(7).email(), scene.known);
    assert_eq!(other.outcomes("stale_if_error"), 1);
}

#[test]
fn nothing_local_shared_miss_backend_up() {
    let scene = Scene::with(FOR_OUTAGES);
    assert_eq!(scene.gateway.client().get_user(8).user_id(), 8);
    eventually(|| scene.redis.keys().len() == 2);
}

#[test]
fn nothing_local_shared_miss_backend_down() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.backend.kill();
    let text = scene.gateway.client().get_user(8).exception_text();
    assert!(text.contains("users"), "it names no backend: {text}");
    assert_eq!(scene.gateway.outcomes("failed"), 1);
}

#[test]
fn nothing_local_shared_down_backend_up() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.redis.kill();
    assert_eq!(scene.gateway.client().get_user(8).user_id(), 8);
}

#[test]
fn nothing_local_shared_down_backend_down() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.redis.kill();
    scene.backend.kill();
    assert!(scene.gateway.client().get_user(8).is_exception());
}

/// A stopped backend accepts and never answers.
#[test]
fn a_stopped_backend_is_an_outage_too() {
    let scene = Scene::with("ttl = '100ms'\nstale_if_error = '60s'\ntimeout = '400ms'");
    scene.backend.stall();
    pass(STALE);
    assert_eq!(scene.answer(), scene.known);
    assert!(scene.gateway.client().get_user(8).is_exception());
}

#[test]
fn a_stopped_real_server_is_an_outage_too() {
    let server = python_backend(Library::Thriftpy2, Wire::framed());
    let rule = "ttl = '100ms'\nstale_if_error = '60s'\ntimeout = '400ms'";
    let gateway = gateway().endpoint(server.address()).get_user(rule).start();
    let known = gateway.client().get_user(7).email();
    server.stop();
    pass(STALE);
    assert_eq!(gateway.client().get_user(7).email(), known);
    server.cont();
    eventually(|| gateway.client().get_user(7).email() != known);
}

#[test]
fn a_killed_real_server_is_an_outage() {
    let mut server = python_backend(Library::Apache, Wire::framed());
    let gateway = gateway().endpoint(server.address()).get_user(FOR_OUTAGES).start();
    let known = gateway.client().get_user(7).email();
    server.kill();
    pass(STALE);
    assert_eq!(gateway.client().get_user(7).email(), known);
    assert!(gateway.client().get_user(8).is_exception());
}

#[test]
fn a_backend_that_sends_garbage_is_an_outage_too() {
    let scene = Scene::with(FOR_OUTAGES);
    scene.backend.does("getUser", Act::Bytes(b"\0\0\0\x04what".to_vec()));
    pass(STALE);
    assert_eq!(scene.answer(), scene.known);
}

#[test]
fn a_failure_exception_is_an_outage_too() {
    let scene = Scene::with("ttl = '100ms'\nstale_if_error = '60s'\nfailure_exceptions = ['Unavailable']");
    scene.backend.does("getUser", Act::Reply(unavailable("no database")));
    pass(STALE);
    assert_eq!(scene.answer(), scene.known);
}

/// With `ttl = "0s"` every call asks a backend, and what was learnt answers in an outage.
#[test]
fn the_outage_only_mode_asks_every_time_and_answers_when_backends_are_gone() {
    let mut backend = backend();
    let gateway =
        gateway().endpoint(backend.address()).get_user("ttl = '0s'\nstale_if_error = '60s'").start();
    let mut client = gateway.client();
    let first = client.get_user(7).email();
    let second = client.get_user(7).email();
    assert_ne!(first, second);
    backend.kill();
    assert_eq!(client.get_user(7).email(), second);
}

/// Once a backend is known to be down, nothing waits for it.
#[test]
fn a_backend_known_to_be_down_is_not_waited_for() {
    let scene = Scene::with("ttl = '100ms'\nstale_if_error = '60s'\ntimeout = '200ms'");
    scene.backend.stall();
    pass(STALE);
    let mut client = scene.gateway.client();
    eventually(|| {
        client.get_user(8);
        scene.gateway.log().iter().any(|line| line.contains("method out at an endpoint"))
    });
    assert_eq!(scene.answer(), scene.known);
    scene.backend.resume();
    eventually(|| !client.get_user(8).is_exception());
}

/// What the caller did wrong stays so in an outage; what the service answers with authority removes the entry.
#[test]
fn a_declared_exception_is_an_answer_and_removes_the_entry() {
    let mut scene = Scene::with(FOR_OUTAGES);
    scene.backend.does("getUser", Act::Reply(not_found(7)));
    pass(STALE);
    let reply = scene.gateway.client().get_user(7);
    assert_eq!(reply.fields, not_found(7));
    scene.backend.kill();
    assert!(scene.gateway.client().get_user(7).is_exception());
}

/// What Spark asks a Hive Metastore first: whether there is a database `global_temp`. There is none, and it starts on that answer alone.
#[test]
fn a_metastore_that_is_gone_still_lacks_what_it_lacked() {
    let rule = "ttl = '100ms'\nstale_if_error = '60s'\ncache_exceptions = ['NotFound']\nexception_ttl = '100ms'\n\
                exception_stale_if_error = '60s'";
    let mut scene = Scene::with(rule);
    scene.backend.does("getUser", Act::Reply(not_found(8)));
    assert_eq!(scene.gateway.client().get_user(8).fields, not_found(8));
    scene.backend.kill();
    pass(STALE);
    assert_eq!(scene.gateway.client().get_user(8).fields, not_found(8));
    // Another gateway has it from the shared tier.
    assert_eq!(scene.other(rule).client().get_user(8).fields, not_found(8));
    assert_eq!(scene.answer(), scene.known);
    assert!(scene.gateway.client().get_user(9).is_exception());
}
