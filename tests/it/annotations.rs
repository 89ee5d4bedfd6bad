//! Rules that stand in the IDL: what they do, who says so, and who wins over them.

use std::path::Path;

use crate::harness::*;

/// The sample service's IDL, in this folder, with these annotations behind `getUser`.
fn annotate(folder: &Path, annotations: &str) -> String {
    let idl = std::fs::read_to_string(idl()).unwrap();
    let method =
        "getUser(1: i64 id, 2: string trace_id) throws (1: NotFound not_found, 2: Unavailable unavailable)";
    assert!(idl.contains(method), "{idl}");
    let annotated = idl.replace(method, &format!("{method} ({annotations})"));
    let file = folder.join("annotated.thrift");
    std::fs::write(&file, annotated).unwrap();
    format!("idl = '{}'", file.display())
}

fn explained(gateway: &Gateway) -> String {
    let output = larder().arg("explain").arg(gateway.door()).arg("UserService.getUser").output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn a_method_is_cached_by_its_annotations_until_the_configuration_says_otherwise() {
    let (mut backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let idl = annotate(
        folder.path(),
        "larder.ttl = '60s', larder.stale_if_error = '1h', larder.ignore = 'trace_id'",
    );
    let builder = gateway().without_idl().listener(&idl).endpoint(backend.address());
    let gateway = builder.start();
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(client.get_user(5).user_id(), 5);
    }
    assert_eq!((backend.calls(), gateway.outcomes("hit_local")), (1, 2));
    let said = explained(&gateway);
    assert!(
        said.contains("UserService.getUser (on, stated in ") && said.contains("annotated.thrift:"),
        "{said}"
    );

    // A changed annotation is a changed rule.
    annotate(folder.path(), "larder.ttl = '50s', larder.mode = 'off'");
    gateway.reload(&builder.text());
    eventually(|| explained(&gateway).contains("UserService.getUser (off, stated in "));
    client.get_user(5);
    assert_eq!(backend.calls(), 2);
    gateway.reload(&builder.rule("UserService.get*", "ttl = '40s'\nstale_if_error = '1h'").text());
    eventually(|| explained(&gateway).contains("UserService.get* (on): "));
    client.get_user(5);
    backend.kill();
    assert_eq!(client.get_user(5).user_id(), 5);
}

#[test]
fn a_wrong_annotation_is_refused_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let idl = annotate(folder.path(), "larder.ttll = '60s'");
    let text = gateway().without_idl().listener(&idl).endpoint("127.0.0.1:9191".parse().unwrap()).text();
    let output = check(&text);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let place = "UserService.getUser: larder.ttll: unknown option, did you mean ttl?";
    assert!(said.contains(place) && said.contains("annotated.thrift:"), "{said}");
    assert_eq!(output.status.code(), Some(78));
}
