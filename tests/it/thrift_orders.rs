//! Orders in Thrift: services that say in their own protocol what of their replies is wrong by now.

use std::net::SocketAddr;

use serde_json::{Value as Json, json};

use crate::harness::*;

const KEPT: &str = "ttl = '60s'\nstale_if_error = '60s'\ntags = ['user:{id}']\nignore = ['trace_id']";
const SERVICE: [&str; 4] = ["--idl", "larder", "--service", "Invalidation"];
fn keeping(backend: &Backend, options: &str) -> Gateway {
    let options = format!("bind = '127.0.0.1:0'\n{options}");
    gateway().endpoint(backend.address()).get_user(KEPT).section("invalidation", &options).start()
}

/// Where a gateway takes orders.
#[track_caller]
fn invalidation(gateway: &Gateway) -> SocketAddr {
    let lines = gateway.log().into_iter().filter_map(|line| serde_json::from_str::<Json>(&line).ok());
    let mut bound = lines.filter(|line| line["message"] == "invalidation service listening");
    bound.next().unwrap()["address"].as_str().unwrap().parse().unwrap()
}

/// What an order comes to.
#[track_caller]
fn purge(client: &mut PythonClient, order: Json, token: &str) -> Json {
    client.call("purge", json!([{"struct": "Order", "fields": order}, token]))
}

fn service_of(address: SocketAddr, library: Library, wire: Wire) -> PythonClient {
    PythonClient::connect_with(address, library, wire, &SERVICE)
}

#[test]
fn real_services_purge_in_every_transport_and_protocol() {
    let backend = backend();
    let gateway = keeping(&backend, "");
    let mut client = gateway.client();
    for library in Library::ALL {
        for &wire in library.wires() {
            let mut service = service_of(invalidation(&gateway), library, wire);
            let before = [5, 6].map(|id| client.get_user(id).email());
            let order = json!({"tags": ["user:5"], "kind": 1, "why": "renamed"});
            let told = purge(&mut service, order, "");
            assert_eq!(told["value"]["marked"], json!(["tag user:5"]), "{library:?} {wire:?} {told}");
            assert_eq!((&told["value"]["kind"], &told["value"]["reached"]), (&json!(1), &json!(0)), "{told}");
            let after = [5, 6].map(|id| client.get_user(id).email());
            assert!(before[0] != after[0] && before[1] == after[1], "{library:?} {wire:?}");
        }
    }
    gateway.logs(&["purged", "\"by\":\"thrift\"", "tag user:5", "renamed", "hard"]);
}

#[test]
fn an_order_names_whatever_larder_purge_does() {
    let backend = backend();
    let gateway = keeping(&backend, "");
    let mut service = service_of(invalidation(&gateway), Library::Thriftpy2, Wire::framed());
    let call =
        json!({"struct": "Call", "fields": {"method": "UserService.getUser", "arguments": "{\"id\": 5}"}});
    for order in [
        json!({ "call": call }),
        json!({"method": "UserService.getUser"}),
        json!({"service_name": "UserService"}),
        json!({"key": "000102030405060708090a0b0c0d0e0f"}),
        json!({"all": true}),
    ] {
        let mut client = gateway.client();
        let before = client.get_user(5).email();
        let told = purge(&mut service, order.clone(), "any");
        assert_eq!(told["value"]["warnings"], json!([]), "{order} {told}");
        let is_gone = client.get_user(5).email() != before;
        assert_eq!(is_gone, order.get("key").is_none(), "{order}");
    }
}

#[test]
fn what_is_no_order_is_told_as_a_declared_exception() {
    let mut backend = backend();
    let gateway = keeping(&backend, "");
    let mut service = service_of(invalidation(&gateway), Library::Apache, Wire::framed());
    let call = |arguments| json!({"struct": "Call", "fields": {"method": "UserService.getUser", "arguments": arguments}});
    for (order, told) in [
        (json!({}), "names 0 of call, key, tag"),
        (json!({"all": true, "service_name": "UserService"}), "names 2 of"),
        (json!({"method": "UserService.getUsr"}), "did you mean UserService.getUser?"),
        (json!({"call": call("{")}), "no JSON"),
        (json!({"call": call("{\"idd\": 5}")}), "did you mean id?"),
        (json!({"key": "ff"}), "is no hash"),
    ] {
        let came = purge(&mut service, order, "");
        assert_eq!(came["exception"], "BadOrder", "{came}");
        assert!(came["fields"]["message"].as_str().unwrap().contains(told), "{told}: {came}");
    }
    backend.kill();
    assert!(gateway.client().get_user(6).is_exception());
    eventually(|| gateway.metric("larder_backend_down", &[]) == 1);
    let came = purge(&mut service, json!({"all": true, "kind": 1}), "");
    assert_eq!(came["exception"], "Refused", "{came}");
    let forced = purge(&mut service, json!({"all": true, "kind": 1, "force": true}), "");
    assert_eq!(forced["value"]["marked"], json!(["all"]), "{forced}");
}

#[test]
fn orders_are_taken_from_who_shows_the_token() {
    let backend = backend();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "sesame\n").unwrap();
    let gateway = keeping(&backend, &format!("token_file = '{}'", token.display()));
    let mut service = service_of(invalidation(&gateway), Library::Thriftpy2, Wire::framed());
    for wrong in ["", "sesam", "sesame "] {
        let came = purge(&mut service, json!({"all": true}), wrong);
        assert_eq!(came["exception"], "Refused", "{came}");
    }
    assert_eq!(gateway.metric("larder_purges_total", &[]), 0);
    let came = purge(&mut service, json!({"all": true}), "sesame");
    assert_eq!(came["value"]["marked"], json!(["all"]), "{came}");
}

#[test]
fn elsewhere_than_on_loopback_a_token_is_needed() {
    let text = gateway().endpoint("127.0.0.1:9".parse().unwrap());
    let checked = check(&text.section("invalidation", "bind = '0.0.0.0:9098'").text());
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(
        !checked.status.success() && said.contains("invalidation.bind: 0.0.0.0 is not a loopback address"),
        "{said}"
    );
}

#[test]
fn what_is_no_call_of_it_harms_nobody() {
    let backend = backend();
    let gateway = keeping(&backend, "");
    let speaks = |message: Message| {
        let mut client = Client::connect(invalidation(&gateway), Wire::framed());
        client.call(message)
    };
    assert!(speaks(Message::call("getUser", 1, vec![])).is_exception());
    assert!(speaks(Message::call("UserService:purge", 2, vec![])).is_exception());
    // Behind its own name, as a multiplexed client calls it; an order that says nothing is none.
    assert!(!speaks(Message::call("Invalidation:purge", 3, vec![])).is_exception());
    let mut large = Client::connect(invalidation(&gateway), Wire::framed());
    large.send_bytes(&[0x7f, 0xff, 0xff, 0xff, 0x80, 1, 0, 1]);
    assert!(large.is_closed_unanswered());
}
