//! What a gateway answers about itself in the words of fb303.

use std::net::SocketAddr;

use serde_json::{Value as Json, json};

use crate::harness::*;

/// What an address answers a method of fb303, or what is said in place of that.
fn asked(address: SocketAddr, method: &str, words: &[&str]) -> Result<Json, String> {
    let idl = concat!(env!("CARGO_MANIFEST_DIR"), "/idl/fb303.thrift");
    let mut call = larder();
    call.args(["call", &address.to_string(), &format!("FacebookService.{method}"), "--idl", idl]).args(words);
    let output = call.output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn a_listener_says_how_it_is_and_what_it_has_counted_whatever_its_backend_does() {
    let mut backend = backend();
    let gateway =
        gateway().endpoint(backend.address()).listener("fb303 = true").get_user("ttl = '60s'").start();
    let mut client = gateway.client();
    client.get_user(5);
    client.get_user(5);
    backend.kill();
    let ask = |method: &str, words: &[&str]| asked(gateway.address(), method, words);
    assert_eq!(ask("getStatus", &[]), Ok(json!("ALIVE")));
    for words in [&["--protocol", "compact"][..], &["--transport", "unframed"], &["--multiplexed"]] {
        assert_eq!(ask("getName", words), Ok(json!("larder")), "{words:?}");
    }
    assert_eq!(ask("getVersion", &[]), Ok(json!(env!("CARGO_PKG_VERSION"))));
    let counters = ask("getCounters", &[]).unwrap();
    for counted in
        [json!(["UserService.getUser.hit_local", 1]), json!(["calls.miss", 1]), json!(["calls.own", 5])]
    {
        assert!(counters.as_array().unwrap().contains(&counted), "{counters}");
    }
    assert_eq!(ask("getCounter", &[r#"{"key": "calls.hit_local"}"#]), Ok(json!(1)));
    assert_eq!(ask("getCounter", &[r#"{"key": "of nothing"}"#]), Ok(json!(0)));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let since = ask("aliveSince", &[]).unwrap().as_u64().unwrap();
    assert!(since <= now && since > now - 3600, "{since} {now}");
}

#[test]
fn without_the_option_the_backend_is_asked() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let said = asked(gateway.address(), "getStatus", &[]).unwrap_err();
    assert!(said.contains("TApplicationException UnknownMethod"), "{said}");
    assert_eq!((gateway.outcomes("own"), gateway.outcomes("failed"), backend.calls()), (0, 1, 1));
}
