//! The admin endpoint as whoever steers a gateway meets it: its doors, its description, its thread.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value as Json;

use crate::harness::*;

#[test]
fn without_a_token_orders_are_taken_through_the_socket_alone() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let (status, said) = gateway.post_over_network("/v1/reload", "");
    assert!(status == 403 && said.contains("admin.socket"), "{status} {said}");
    assert_eq!(gateway.post("/v1/reload", r#"{"why": "a new rule"}"#).0, 200);
    gateway.logs(&["\"message\":\"ordered\"", "\"what\":\"reload\"", "\"from\":\"user ", "a new rule"]);
    let mode = std::fs::metadata(gateway.door()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_socket_goes_with_its_gateway() {
    let backend = backend();
    let mut gateway = gateway().endpoint(backend.address()).start();
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
    assert!(!gateway.door().exists());
}

#[test]
fn nagios_asks_through_the_socket_too() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let output = larder().arg("nagios").arg(gateway.door()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A gateway may be well by its own word and answer nobody.
#[test]
fn nagios_makes_a_call_as_a_client_would() {
    let mut backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let check = |method: &str| {
        let mut command = larder();
        command.arg("nagios").arg(gateway.door()).args(["--call", method, "--call-idl", "idl/users.thrift"]);
        command.args(["--call-address", &gateway.address().to_string()]);
        let output = command.args(["--call-arguments", r#"{"id": 7}"#]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = check("UserService.getUser");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("UserService.getUser answered in 0."), "{told}");
    assert!(told.contains("'call'=0."), "{told}");
    let (code, told) = check("UserService.getUzer");
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("did you mean"), "{told}");
    backend.kill();
    let (code, told) = check("UserService.getUser");
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("UserService.getUser: TApplicationException") && told.contains("(critical)"),
        "{told}"
    );
}

/// What the description promises is there, and what is there is described.
#[test]
fn each_path_of_the_description_is_served() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let (status, body) = gateway.page("/v1/openapi.json").unwrap();
    let described: Json = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &described["openapi"]), (200, &"3.1.1".into()));
    for (path, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if !operation["responses"]["200"]["content"]["text/event-stream"].is_null() {
                // It goes on until the gateway ends.
                continue;
            }
            // What goes on would do so for minutes.
            let lasts =
                operation["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == "for");
            let asked = if lasts { format!("{path}?for=1s") } else { path.clone() };
            let (status, said) = gateway.order(&method.to_uppercase(), &asked, "{");
            assert!(![404, 405].contains(&status), "{method} {path}: {status} {said}");
            assert!(operation["operationId"].is_string(), "{method} {path}");
        }
    }
    for gone in ["/status", "/purge", "/reload", "/explain", "/outages"] {
        assert_eq!(gateway.page(gone).unwrap().0, 404, "{gone}");
    }
}

/// All threads that serve calls are busy; the endpoint has one of its own.
#[test]
fn the_endpoint_has_a_thread_of_its_own() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    assert!(gateway.threads().iter().any(|name| name == "admin"), "{:?}", gateway.threads());
}
