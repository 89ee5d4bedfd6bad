//! When endpoints and methods leave the rotation and how they return.

use super::world::*;

const MS: Duration = Duration::from_millis(1);
const TENTH: Duration = Duration::from_millis(100);

fn standing(backend: &Backend, at: usize) -> Standing {
    backend.endpoints()[at].standing
}

/// Makes calls of `name`, one each tenth of a second; each has `timeout`.
async fn load(backend: &Arc<Backend>, name: &'static str, timeout: Option<Duration>, times: usize) {
    for _ in 0..times {
        let backend = Arc::clone(backend);
        tokio::spawn(async move { backend.answer(&call_of(name), &once(), timeout).await });
        tokio::time::sleep(TENTH).await;
    }
}

/// Waits for an endpoint to stand so; for how long it took.
async fn until(backend: &Backend, at: usize, wanted: Standing) -> Duration {
    let began = Instant::now();
    while standing(backend, at) != wanted {
        assert!(began.elapsed() < Duration::from_secs(120), "it still is {:?}", standing(backend, at));
        tokio::time::sleep(10 * MS).await;
    }
    began.elapsed()
}

/// Shows that an endpoint handles several calls at once.
async fn prove_parallel(backend: &Arc<Backend>, server: &Server) {
    server.at("slow", Act::AnswerAfter(TENTH));
    let slow = Arc::clone(backend);
    let slow = tokio::spawn(async move { slow.answer(&call_of("slow"), &once(), None).await });
    tokio::time::sleep(MS).await;
    backend.answer(&call_of("fast"), &once(), None).await.unwrap();
    slow.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_refuses_is_out_with_one_call_and_back_within_a_second_without_any() {
    let mut world = World::of(2);
    let backend = world.watch();
    let address = world.servers[0].address;
    world.refuse(address);
    while world.counted(r#"larder_backend_attempts_total{backend="users",result="unreachable"}"#) == 0 {
        backend.answer(&call(), &once(), None).await.unwrap();
    }
    assert!(until(&backend, 0, Standing::Ejected(Why::Refused)).await < TENTH);
    assert_eq!(world.counted(r#"larder_backend_ejections_total{backend="users",reason="refused"}"#), 1);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let server = world.serve(address);
    assert!(until(&backend, 0, Standing::Rotating).await <= Duration::from_secs(1));
    assert_eq!((server.checks(), server.calls()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_refuses_fails_at_once_and_nobody_finds_out_by_a_call() {
    let mut world = World::of(1);
    let backend = world.watch();
    let address = world.servers[0].address;
    world.refuse(address);
    assert!(backend.answer(&call(), &once(), SECOND).await.is_err());
    until(&backend, 0, Standing::Ejected(Why::Refused)).await;
    assert!(backend.is_down());
    let began = Instant::now();
    let fault = backend.answer(&call(), &idempotent(), SECOND).await.unwrap_err();
    assert_eq!(fault.to_string(), "backend users is down: every endpoint fails");
    assert_eq!(backend.refresh(&call()).await.unwrap_err().as_str(), "down");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

/// A slow report must not take the fast methods of its backend down with it.
#[tokio::test(start_paused = true)]
async fn one_method_that_fails_is_out_alone_and_others_do_not_notice() {
    for act in [Act::Hang, Act::AnswerField(7), Act::WrongSeqid] {
        let mut world = World::of(1);
        world.settings.max_connections = 64;
        let backend = world.watch();
        world.servers[0].at("report", act);
        let terms = Terms { failures: [7].into(), ..idempotent() };
        for _ in 0..40 {
            let _fault = backend.answer(&call_of("report"), &terms, Some(TENTH)).await.unwrap_err();
            backend.answer(&call_of("get"), &once(), Some(TENTH)).await.unwrap();
        }
        let method = method(&backend, &call_of("report"));
        assert!(backend.is_out(method.of(b"report")) && !backend.is_down(), "{act:?}");
        assert_eq!(standing(&backend, 0), Standing::Rotating);
        // It comes back by the calls that have nothing else, or by a refresh.
        world.servers[0].at("report", Act::Answer);
        backend.answer(&call_of("report"), &terms, Some(TENTH)).await.unwrap();
        assert!(!backend.is_out(method.of(b"report")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_out_at_one_endpoint_goes_to_the_other() {
    let mut world = World::of(2);
    let backend = world.watch();
    world.servers[0].at("report", Act::WrongSeqid);
    let ask = async || backend.answer(&call_of("report"), &once(), SECOND).await;
    let mut faults = 0;
    for _ in 0..100 {
        faults += usize::from(ask().await.is_err());
    }
    assert_eq!(faults, 3);
    assert_eq!(standing(&backend, 0), Standing::Rotating);
    assert!(!backend.is_out(method(&backend, &call_of("report")).of(b"report")));
    world.servers[0].at("report", Act::Answer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(backend.refresh(&call_of("report")).await.is_ok());
    assert_eq!(world.servers[0].calls() + world.servers[1].calls(), 101);
    let heard = world.servers[0].calls();
    for _ in 0..40 {
        ask().await.unwrap();
    }
    assert!(world.servers[0].calls() > heard, "the refresh has brought it back");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_out_when_two_methods_fail_there_and_nothing_is_answered() {
    let mut world = World::of(3);
    let backend = world.watch();
    world.servers[0].now(Act::WrongSeqid);
    let mut faults = 0;
    while standing(&backend, 0) == Standing::Rotating {
        for name in ["one", "other"] {
            faults += usize::from(backend.answer(&call_of(name), &once(), SECOND).await.is_err());
        }
        tokio::time::sleep(10 * MS).await;
        assert!(faults < 20);
    }
    assert_eq!(standing(&backend, 0), Standing::Ejected(Why::Failing));
    // Checks that are answered do not make up for calls that fail: it returns when its time is over, and for calls that are answered.
    assert!(until(&backend, 0, Standing::Rotating).await >= Duration::from_millis(500));
    world.all(Act::WrongSeqid);
    for _ in 0..40 {
        for name in ["one", "other"] {
            let _fault = backend.answer(&call_of(name), &once(), SECOND).await;
        }
        tokio::time::sleep(10 * MS).await;
    }
    let out = backend.endpoints().iter().filter(|one| one.standing != Standing::Rotating).count();
    assert_eq!(out, 1, "at most half go by their calls");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_accepts_and_never_answers_is_out_soon_and_back_when_it_answers() {
    let mut world = World::of(1);
    world.settings.max_connections = 64;
    let backend = world.watch();
    prove_parallel(&backend, &world.servers[0]).await;
    load(&backend, "fast", None, 10).await;
    world.all(Act::Hang);
    world.servers[0].at("slow", Act::Hang);
    let began = Instant::now();
    load(&backend, "fast", None, 25).await;
    let out = until(&backend, 0, Standing::Ejected(Why::Silent)).await;
    assert!(began.elapsed() <= Duration::from_millis(2600), "{:?}", began.elapsed() + out);
    assert!(world.servers[0].checks() >= 2);
    load(&backend, "fast", None, 300).await;
    assert_eq!(world.counted(r#"larder_backend_ejections_total{backend="users",reason="silent"}"#), 1);
    world.all(Act::Answer);
    assert!(until(&backend, 0, Standing::Rotating).await <= Duration::from_secs(1));
    backend.answer(&call_of("fast"), &once(), None).await.unwrap();
    // What was learnt of it is known when it hangs again at once.
    world.all(Act::Hang);
    let began = Instant::now();
    load(&backend, "fast", None, 25).await;
    until(&backend, 0, Standing::Ejected(Why::Silent)).await;
    assert!(began.elapsed() <= Duration::from_millis(2600), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_asked_one_thing_at_a_time_is_found_silent_as_soon() {
    let mut world = World::of(1);
    world.settings.max_connections = 64;
    let backend = world.watch();
    world.all(Act::AnswerAfter(20 * MS));
    for _ in 0..100 {
        backend.answer(&call_of("fast"), &once(), None).await.unwrap();
        tokio::time::sleep(10 * MS).await;
    }
    let checks = world.servers[0].checks();
    assert!((1..=3).contains(&checks), "{checks}");
    world.all(Act::Hang);
    let began = Instant::now();
    load(&backend, "fast", None, 5).await;
    until(&backend, 0, Standing::Ejected(Why::Silent)).await;
    assert!(began.elapsed() <= Duration::from_millis(2600), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_silent_lets_a_few_calls_pass_and_refuses_the_rest_at_once() {
    let mut world = World::of(1);
    world.settings.max_connections = 64;
    let backend = world.watch();
    prove_parallel(&backend, &world.servers[0]).await;
    world.all(Act::Hang);
    while standing(&backend, 0) == Standing::Rotating {
        load(&backend, "fast", None, 1).await;
    }
    let heard = world.calls();
    load(&backend, "fast", None, 10).await;
    assert!(world.calls() <= heard + 1);
    let fault = backend.answer(&call_of("fast"), &once(), None).await.unwrap_err();
    assert_eq!(fault.as_str(), "down");
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_no_silence_where_the_endpoint_answers_checks() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.servers[0].at("report", Act::AnswerAfter(Duration::from_secs(25)));
    backend.answer(&call_of("report"), &once(), None).await.unwrap();
    assert_eq!(standing(&backend, 0), Standing::Rotating);
    assert!(world.servers[0].checks() > 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let checks = world.servers[0].checks();
    backend.answer(&call_of("report"), &once(), None).await.unwrap();
    assert_eq!(world.servers[0].checks(), checks, "the second time it is known how long it takes");
}

/// A server with one worker answers no check while it works.
#[tokio::test(start_paused = true)]
async fn a_check_that_may_be_held_up_proves_nothing() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.servers[0].now(Act::AnswerAfter(Duration::from_secs(9)));
    world.servers[0].at("larder_check", Act::Hang);
    backend.answer(&call_of("report"), &once(), None).await.unwrap();
    assert_eq!(standing(&backend, 0), Standing::Rotating);
    world.all(Act::Hang);
    load(&backend, "report", None, 1).await;
    let out = until(&backend, 0, Standing::Ejected(Why::Silent)).await;
    assert!(out > Duration::from_secs(26), "three times as long as it took before: {out:?}");
}

#[tokio::test(start_paused = true)]
async fn closing_is_no_failure_as_long_as_checks_are_answered() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.all(Act::HangUp);
    world.servers[0].at("larder_check", Act::Refuse);
    for _ in 0..40 {
        assert_eq!(backend.answer(&call(), &once(), None).await.unwrap_err().as_str(), "closed");
        tokio::time::sleep(TENTH).await;
    }
    assert_eq!(standing(&backend, 0), Standing::Rotating);
    let checks = world.servers[0].checks();
    assert!((2..=9).contains(&checks), "{checks} in four seconds");
}

#[tokio::test(start_paused = true)]
async fn closing_on_a_check_too_is_out_with_one_call_and_lets_nothing_pass() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.all(Act::HangUp);
    assert!(backend.answer(&call(), &once(), None).await.is_err());
    assert!(until(&backend, 0, Standing::Ejected(Why::Closed)).await < TENTH);
    assert_eq!(backend.answer(&call(), &once(), None).await.unwrap_err().as_str(), "down");
    world.all(Act::Answer);
    assert!(until(&backend, 0, Standing::Rotating).await <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_on_checks_and_answers_calls_is_known_for_it() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.servers[0].at("larder_check", Act::HangUp);
    world.servers[0].at("raises", Act::HangUp);
    for _ in 0..10 {
        for name in ["get", "raises"] {
            let _fault = backend.answer(&call_of(name), &once(), None).await;
            tokio::time::sleep(TENTH).await;
        }
    }
    for _ in 0..20 {
        let _fault = backend.answer(&call_of("raises"), &once(), None).await;
        tokio::time::sleep(TENTH).await;
    }
    assert_eq!(standing(&backend, 0), Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_sent_oneways_alone_returns_too() {
    let mut world = World::of(1);
    let backend = world.watch();
    let address = world.servers[0].address;
    let client = Client::of(&backend);
    client.tell("log").await.unwrap();
    world.refuse(address);
    tokio::time::sleep(Duration::from_secs(61)).await;
    while standing(&backend, 0) == Standing::Rotating {
        let _fault = client.tell("log").await;
        tokio::time::sleep(TENTH).await;
    }
    let server = world.serve(address);
    until(&backend, 0, Standing::Rotating).await;
    client.tell("log").await.unwrap();
    tokio::time::sleep(TENTH).await;
    assert_eq!(server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_checks_an_endpoint_returns_when_its_time_is_over() {
    let mut world = World::of(1);
    world.settings.check = finding::Kind::Off;
    let backend = world.watch();
    let address = world.servers[0].address;
    world.refuse(address);
    for _ in 0..2 {
        assert!(backend.answer(&call(), &once(), None).await.is_err());
    }
    let out = Instant::now();
    assert_eq!(standing(&backend, 0), Standing::Ejected(Why::Refused));
    until(&backend, 0, Standing::Rotating).await;
    assert!(out.elapsed() >= world.settings.ejection_time);
}
