//! `larder entries`: what a gateway keeps in memory, by method.

use std::process::Output;

use serde_json::Value as Json;

use crate::harness::*;

fn entries(gateway: &Gateway, words: &[&str]) -> Output {
    larder().arg("entries").arg(gateway.admin().to_string()).args(words).output().unwrap()
}

#[track_caller]
fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn entries_are_told_by_method_with_what_they_are_good_for() {
    let backend = backend();
    let gateway = gateway()
        .endpoint(backend.address())
        .get_user("ttl = '1h'")
        .rule("UserService.listUsers", "ttl = '1ms'\nstale_if_error = '1h'")
        .start();
    let mut client = gateway.client();
    (0..20).for_each(|id| drop(client.get_user(id)));
    client.call(list_users(&[1], &[]));
    gateway.purge(serde_json::json!({"method": "UserService.listUsers", "kind": "soft"}));
    let stock: Json = serde_json::from_str(&text(&entries(&gateway, &["--json"]))).unwrap();
    assert_eq!((&stock["whole"], &stock["seen"]), (&true.into(), &21.into()), "{stock:#}");
    let [get, list] = &stock["methods"].as_array().unwrap()[..] else { panic!("{stock:#}") };
    assert_eq!((&get["method"], &get["entries"]), (&"UserService.getUser".into(), &20.into()));
    assert_eq!((&get["states"]["fresh"], &get["covered"]), (&20.into(), &0.into()));
    assert!(get["bytes"].as_u64().unwrap() > 20 * 300 && get["oldest_seconds"].as_f64().unwrap() < 60.0);
    assert_eq!((&list["states"]["stale_if_error"], &list["covered"]), (&1.into(), &1.into()), "{list:#}");
    let told = text(&entries(&gateway, &["--method", "UserService.list*"]));
    assert!(
        told.contains("UserService.listUsers\n") && told.contains("1 stale_if_error, 1 covered by a mark"),
        "{told}"
    );
    assert!(!told.contains("getUser"), "{told}");
    let labels = [("method", "UserService.getUser")];
    assert_eq!(gateway.metric("larder_local_method_entries", &labels), 20);
    assert_eq!(gateway.outcomes("hit_local"), 0, "to look is no call");
}

#[test]
fn what_names_no_method_is_refused() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let refused = entries(&gateway, &["--method", "getUser"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("names no service"), "{refused:?}");
    assert_eq!(gateway.page("/v1/entries?methd=S.*").unwrap().0, 400);
}
