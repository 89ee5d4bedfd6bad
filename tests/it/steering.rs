//! An operator's switches, each as callers notice it: while it is in force, and that all is as before when it is undone.

use serde_json::{Value as Json, json};

use crate::harness::*;

/// Kept for long, fresh for a moment.
const SHORT: &str = "ttl = '50ms'\nstale_if_error = '1s'";
const KEPT: &str = "ttl = '60s'\nstale_if_error = '60s'";
const METHOD: &str = "UserService.getUser";

/// What `larder switch` says.
#[track_caller]
fn switch(gateway: &Gateway, words: &str) -> String {
    let (code, said) = try_switch(gateway, words);
    assert_eq!(code, Some(0), "{words}: {said}");
    said
}

fn try_switch(gateway: &Gateway, words: &str) -> (Option<i32>, String) {
    let output = larder().arg("switch").arg(gateway.door()).args(words.split(' ')).output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// Undoes the only switch there is.
#[track_caller]
fn undo(gateway: &Gateway) {
    let all = in_force(gateway);
    let [one] = all.as_array().unwrap().as_slice() else { panic!("{all}") };
    switch(gateway, &format!("undo {} --why over", one["id"]));
    assert_eq!(in_force(gateway), json!([]));
}

fn in_force(gateway: &Gateway) -> Json {
    serde_json::from_str(&gateway.page("/v1/switches").unwrap().1).unwrap()
}

/// What `larder explain` says of a call.
fn explained(gateway: &Gateway) -> String {
    let output = larder().arg("explain").arg(gateway.door()).args([METHOD, r#"{"id": 7}"#]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn old_replies_are_held_while_a_switch_says_so() {
    let mut backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().endpoint(backend.address()).get_user(SHORT).start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    backend.kill();
    eventually(|| client.get_user(7).is_exception());
    for whose in [format!("--method {METHOD}"), "--backend users".to_owned(), "--all".to_owned()] {
        switch(&gateway, &format!("hold-stale 1h {whose} --for 10m --why night"));
        assert_eq!(client.get_user(7).email(), known, "{whose}");
        assert!(explained(&gateway).contains("hold stale 1h for"), "{}", explained(&gateway));
        undo(&gateway);
        assert!(client.get_user(7).is_exception(), "{whose}");
    }
    gateway.logs(&["\"message\":\"switch set\"", "hold stale 1h for all methods", "night", "user "]);
    gateway.logs(&["\"message\":\"switch undone\"", "hold stale 1h for all methods", "\"why\":\"over\""]);
}

#[test]
fn what_was_declared_wrong_is_held_by_no_switch() {
    let mut backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user(SHORT).start();
    let mut client = gateway.client();
    client.get_user(7);
    assert_eq!(gateway.purge(json!({"method": METHOD, "kind": "hard"})).0, 200);
    backend.kill();
    switch(&gateway, "hold-stale 1h --all --for 10m");
    assert!(client.get_user(7).is_exception());
}

#[test]
fn a_spared_backend_is_asked_for_nothing_that_is_kept() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway =
        gateway().endpoint(backend.address()).get_user("ttl = '1ms'\nstale_if_error = '60s'").start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    switch(&gateway, &format!("stale-only --method {METHOD} --for 10m"));
    for _ in 0..5 {
        pass(ms(2));
        assert_eq!(client.get_user(7).email(), known);
    }
    let said = client.get_user(8).exception_text();
    assert!(said.contains("an operator has it spared"), "{said}");
    assert!(
        explained(&gateway).contains("backend users: an operator has it spared"),
        "{}",
        explained(&gateway)
    );
    assert!(!client.call(rename_user(7, "x")).is_exception(), "what is passed is sent");
    undo(&gateway);
    pass(ms(2));
    assert_ne!(client.get_user(7).email(), known);
}

#[test]
fn a_bypassed_method_is_asked_for_each_time() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    switch(&gateway, &format!("bypass {METHOD} --for 10m"));
    assert_ne!(client.get_user(7).email(), client.get_user(7).email());
    assert_eq!(gateway.outcomes("passed"), 2);
    assert!(explained(&gateway).contains("an operator has its calls passed"), "{}", explained(&gateway));
    undo(&gateway);
    assert_eq!(client.get_user(7).email(), known);
}

#[test]
fn a_rules_mode_is_changed_and_changed_back() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let off = format!("{KEPT}\nmode = 'off'");
    let gateway = gateway().endpoint(backend.address()).get_user(&off).start();
    let mut client = gateway.client();
    switch(&gateway, &format!("mode {METHOD} observe"));
    client.get_user(7);
    client.get_user(7);
    assert_eq!([gateway.outcomes("observed_miss"), gateway.outcomes("observed_hit")], [1, 1]);
    switch(&gateway, &format!("mode {METHOD} on"));
    assert_eq!(client.get_user(7).email(), client.get_user(7).email());
    undo(&gateway);
    assert_ne!(client.get_user(7).email(), client.get_user(7).email());
}

#[test]
fn a_rule_is_for_a_part_of_its_keys_while_it_is_tried() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    let mut client = gateway.client();
    switch(&gateway, &format!("ramp {METHOD} 30"));
    let mut kept =
        |_| (0..60).filter(|id| client.get_user(*id).email() == client.get_user(*id).email()).count();
    let some = kept(());
    assert!((6..40).contains(&some), "{some} of 60");
    assert_eq!(gateway.outcomes("passed_ramp"), 2 * (60 - some as u64));
    undo(&gateway);
    assert_eq!(kept(()), 60);
}

#[test]
fn endpoints_are_drained_ejected_weighed_and_forced_in() {
    let backends = [(); 2].map(|()| python_backend(Library::Thriftpy2, Wire::framed()));
    let [one, two] = backends.each_ref().map(PythonBackend::address);
    let gateway = gateway().endpoint(one).endpoint(two).start();
    let mut client = gateway.client();
    // Each tells its own port.
    let mut spread = |calls: i64| {
        let mut ports = [0, 0];
        for id in 0..calls {
            let email = client.get_user(id).email();
            ports[usize::from(!email.contains(&one.port().to_string()))] += 1;
        }
        ports
    };
    for words in ["drain", "eject"] {
        switch(&gateway, &format!("{words} users/{one} --for 10m"));
        assert_eq!(spread(20), [0, 20], "{words}");
        undo(&gateway);
        eventually(|| spread(20)[0] > 0);
    }
    switch(&gateway, &format!("weigh users/{one} 50"));
    // It was out just now, and comes to its whole share little by little.
    eventually(|| {
        let [more, less] = spread(100);
        more > less * 3
    });
    undo(&gateway);
    let state = |reason| gateway.metric("larder_endpoint_state", &[("reason", reason)]);
    switch(&gateway, &format!("eject users/{two} --for 10m"));
    assert_eq!(state("ordered"), 1);
    switch(&gateway, &format!("force-in users/{two} --for 10m"));
    assert_eq!(state("ordered"), 0, "one word takes the place of the other");
    let (code, said) = try_switch(&gateway, "drain users/127.0.0.1:1 --for 10m");
    assert!(code == Some(1) && said.contains("unknown endpoint 127.0.0.1:1"), "{said}");
}

#[test]
fn a_backend_is_declared_down_and_up() {
    let mut backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway =
        gateway().endpoint(backend.address()).get_user("ttl = '1ms'\nstale_if_error = '60s'").start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    switch(&gateway, "down users --for 10m");
    pass(ms(2));
    assert_eq!(client.get_user(7).email(), known);
    assert!(client.call(rename_user(7, "x")).is_exception());
    assert_eq!(gateway.metric("larder_backend_down", &[]), 1);
    undo(&gateway);
    assert!(!client.call(rename_user(7, "x")).is_exception());
    backend.kill();
    eventually(|| {
        client.call(rename_user(7, "x"));
        gateway.metric("larder_backend_down", &[]) == 1
    });
    switch(&gateway, "up users --for 10m");
    assert_eq!(gateway.metric("larder_backend_down", &[]), 0);
    let said = client.call(rename_user(7, "x")).exception_text();
    assert!(!said.contains("every endpoint fails"), "it was asked: {said}");
}

#[test]
fn other_lines_are_logged_for_a_while_and_who_ordered_what_always() {
    let mut backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    switch(&gateway, "log error --for 10m --why quiet");
    backend.kill();
    let mut client = gateway.client();
    eventually(|| {
        client.get_user(7);
        gateway.metric("larder_backend_down", &[]) == 1
    });
    switch(&gateway, &format!("mode {METHOD} off"));
    gateway.logs(&["switch set", &format!("rule {METHOD} off")]);
    assert!(!gateway.log().iter().any(|line| line.contains("\"WARN\"")), "{:?}", gateway.log());
    switch(&gateway, "undo 1");
    // Who says nothing undoes it for the reason that it was set for.
    gateway.logs(&["switch undone", "log error", "\"why\":\"quiet\""]);
}

#[test]
fn a_switch_expires_by_itself_and_is_shown_until_then() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    let mut client = gateway.client();
    switch(&gateway, &format!("bypass {METHOD} --for 1s --why trying"));
    let (listed, status) = (in_force(&gateway), gateway.page("/v1/status").unwrap().1);
    let status: Json = serde_json::from_str(&status).unwrap();
    for one in [&listed[0], &status["switches"][0]] {
        assert_eq!((&one["switch"]["kind"], &one["why"]), (&"bypass".into(), &"trying".into()));
        assert!(one["left_seconds"].as_f64().unwrap() <= 1.0);
    }
    assert_eq!(gateway.metric("larder_switches", &[("kind", "bypass")]), 1);
    eventually(|| client.get_user(7).email() == client.get_user(7).email());
    gateway.logs(&["\"message\":\"switch has expired\"", "bypass the cache of"]);
    assert_eq!(gateway.metric("larder_switches", &[]), 0);
    assert_eq!(switch(&gateway, "list"), "no switch is in force: all is as configured\n");
}

#[test]
fn a_switch_survives_a_reload_and_a_restart() {
    let (backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let state = format!("state_dir = '{}'", folder.path().display());
    let text = gateway().endpoint(backend.address()).get_user(KEPT).section("runtime", &state).text();
    let mut gateway = Gateway::start(&text);
    switch(&gateway, &format!("bypass {METHOD} --for 10m"));
    let asked_anew = |gateway: &Gateway| {
        let mut client = gateway.client();
        client.get_user(7).email() != client.get_user(7).email()
    };
    assert!(asked_anew(&gateway));
    gateway.configure(&text.replace("ttl = '60s'", "ttl = '50s'"));
    assert_eq!(gateway.command("/v1/reload").1["changes"], json!(["rules.\"UserService.getUser\".ttl"]));
    assert!(asked_anew(&gateway));
    gateway.kill();
    let gateway = Gateway::start(&text);
    assert!(asked_anew(&gateway));
    gateway.logs(&["switch is in force again", "bypass the cache of"]);
    undo(&gateway);
    assert!(!asked_anew(&gateway));
}

#[test]
fn what_is_not_there_or_must_expire_is_told() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    for (words, code, told) in [
        ("bypass UserService.getUsr --for 1m", 1, "did you mean UserService.getUser?"),
        ("mode UserService.getUsr off", 1, "did you mean UserService.getUser?"),
        ("down user --for 1m", 1, "did you mean users?"),
        ("stale-only --backend user --for 1m", 1, "did you mean users?"),
        ("down users", 64, "must expire"),
        ("undo 7", 1, "no switch 7 is in force"),
    ] {
        let (found, said) = try_switch(&gateway, words);
        assert!(found == Some(code) && said.contains(told), "{words}: {said}");
    }
    assert_eq!(gateway.post("/v1/switches", "{}").0, 400);
    assert_eq!(gateway.post_over_network("/v1/switches", "{}").0, 403);
    assert_eq!(in_force(&gateway), json!([]));
}
