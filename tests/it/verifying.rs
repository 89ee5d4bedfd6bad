//! Hits that a real backend is asked again, and what becomes of a rule whose hits are wrong.

use serde_json::Value as Json;

use crate::harness::*;

/// The backend tells in each user which call made it.
const CARELESS: &str = "ttl = '60s'\nstale_if_error = '60s'\nignore = ['trace_id']\nverify = '100%'";
const KEPT: &str = "ttl = '60s'\nexception_ttl = '60s'\nstale_if_error = '60s'\nignore = ['trace_id']\n\
                    cache_exceptions = ['NotFound']\nverify = '100%'";

fn status(gateway: &Gateway) -> Json {
    serde_json::from_str(&gateway.page("/v1/status").unwrap().1).unwrap()
}

fn explained(gateway: &Gateway) -> String {
    let words = ["UserService.getUser", r#"{"id": 7}"#];
    let output = larder().arg("explain").arg(gateway.door()).args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_rule_whose_hits_are_wrong_observes_until_it_is_put_in_force_again() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().endpoint(backend.address()).get_user(CARELESS).start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    let observes = || status(&gateway)["switches"][0]["says"] == "rule UserService.getUser observe";
    eventually(|| {
        client.get_user(7);
        observes()
    });
    assert_eq!(status(&gateway)["switches"][0]["who"], "verification");
    assert_ne!(client.get_user(7).email(), known);
    assert!(explained(&gateway).contains("rule UserService.getUser observe"), "{}", explained(&gateway));
    gateway.logs(&[
        "\"message\":\"switch set\"",
        "\"by\":\"verification\"",
        "hits that were verified are wrong",
    ]);
    let id = status(&gateway)["switches"][0]["id"].to_string();
    let undone = larder().arg("switch").arg(gateway.door()).args(["undo", &id]).output().unwrap();
    assert!(undone.status.success(), "{undone:?}");
    assert_eq!(client.get_user(7).email(), known, "it is kept still");
}

#[test]
fn a_rule_whose_hits_are_right_stays_in_force() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    let mut client = gateway.client();
    eventually(|| {
        client.call(get_user_traced(404, "one"));
        client.call(get_user_traced(404, "another"));
        status(&gateway)["verification"][0]["matches"].as_u64() >= Some(5)
    });
    let found = &status(&gateway)["verification"][0];
    assert_eq!((&found["changed"], &found["mismatches"]), (&Json::from(0), &Json::from(0)));
    assert!(explained(&gateway).contains("100% of its hits"), "{}", explained(&gateway));
}
