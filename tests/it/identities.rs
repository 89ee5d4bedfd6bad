//! A metastore that remembers for each connection who calls, behind gateways that keep what it says for each user apart.

use serde_json::{Value as Json, json};

use crate::examples::metastore;
use crate::harness::*;

/// A user's connection to a gateway.
fn session(gateway: &Gateway, user: &str) -> PythonClient {
    let mut client = PythonClient::of_metastore(gateway.address());
    assert_eq!(client.call("set_ugi", json!([user, [user]])), json!({"value": [user]}));
    client
}

/// A table that is its owner's alone.
fn make(client: &mut PythonClient, owner: &str) {
    let parameters = json!({"private": "true"});
    let fields = json!({"tableName": owner, "dbName": "sales", "owner": owner, "parameters": parameters});
    let table = json!({"struct": "Table", "fields": fields});
    assert_eq!(client.call("create_table", json!([table])), json!({"value": null}));
}

/// Who owns the table of `owner`, as this client is told; or the exception that it is told.
fn reads(client: &mut PythonClient, owner: &str) -> String {
    let told = client.call("get_table", json!(["sales", owner]));
    let text = |of: &Json| of.as_str().map(str::to_owned);
    text(&told["value"]["owner"]).or_else(|| text(&told["exception"])).unwrap()
}

const DENIED: &str = "MetaException";
const AWAY: &str = "TApplicationException";

#[test]
fn each_user_is_told_what_is_for_him_cold_in_a_hit_in_an_outage_and_after_a_reload() {
    let (mut backend, redis) = (python_metastore(), redis());
    let [one, other] = [(); 2].map(|()| metastore(backend.address(), &redis));
    let mut all = Vec::new();
    for gateway in [&one, &other] {
        for user in ["anna", "otto"] {
            all.push((user, session(gateway, user)));
        }
    }
    for (user, client) in &mut all[..2] {
        make(client, user);
    }
    let told = |all: &mut [(&'static str, PythonClient)]| {
        for (user, client) in all {
            for owner in ["anna", "otto"] {
                assert_eq!(reads(client, owner), if *user == owner { owner } else { DENIED }, "{user}");
            }
        }
    };
    // What is asked within two seconds of a write is not kept.
    let hits = || one.outcomes("hit_local") + other.outcomes("hit_local");
    eventually(|| {
        told(&mut all);
        hits() >= 4
    });
    // Nobody in particular is told of no table.
    assert_eq!(reads(&mut PythonClient::of_metastore(one.address()), "anna"), DENIED);

    backend.kill();
    for (user, client) in &mut all {
        assert_eq!(reads(client, user), *user);
    }
    for gateway in [&one, &other] {
        for user in ["anna", "otto"] {
            let mut new = session(gateway, user);
            assert_eq!(reads(&mut new, user), user);
            assert_eq!(reads(&mut new, if user == "anna" { "otto" } else { "anna" }), AWAY);
        }
        let mut stranger = PythonClient::of_metastore(gateway.address());
        assert_eq!(stranger.call("set_ugi", json!(["ida", ["ida"]]))["exception"], AWAY);
    }

    // Those who are known need not come back: what they have said is said again for them.
    backend.revive();
    eventually(|| all.iter_mut().all(|(_, client)| reads(client, "ida") == "NoSuchObjectException"));
    // What one of the gateways was told answers for the other too, which may not know yet that its backend is back.
    let knows = |gateway: &Gateway| gateway.metric("larder_endpoint_state", &[("state", "rotating")]) == 1;
    eventually(|| knows(&one) && knows(&other));
    for (user, client) in &mut all {
        make(client, user);
    }
    told(&mut all);
    one.reload(&one.configuration().replace("ttl = \"5m\"", "ttl = \"6m\""));
    told(&mut all);
    assert_eq!(one.closed("session") + other.closed("session"), 2);
}

#[test]
fn who_is_refused_has_no_session_and_settings_are_for_one_connection() {
    let (backend, redis) = (python_metastore(), redis());
    let gateway = metastore(backend.address(), &redis);
    let mut refused = PythonClient::of_metastore(gateway.address());
    assert_eq!(refused.call("set_ugi", json!(["nobody", []]))["exception"], DENIED);
    eventually(|| gateway.closed("session") == 1);

    let mut clients: Vec<_> = (0..4).map(|_| session(&gateway, "anna")).collect();
    make(&mut clients[0], "anna");
    let set = clients[0].call("setMetaConf", json!(["hive.metastore.try.direct.sql", "false"]));
    assert_eq!(set, json!({"value": null}));
    for (number, client) in clients.iter_mut().enumerate() {
        let expected = if number == 0 { "false" } else { "" };
        let told = client.call("getMetaConf", json!(["hive.metastore.try.direct.sql"]));
        assert_eq!(told, json!({"value": expected}), "{number}");
        assert_eq!(reads(client, "anna"), "anna", "{number}");
    }
}
