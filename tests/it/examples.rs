//! The example configurations, with what they are examples for.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::harness::*;

/// The example of a metastore, at free addresses, in front of this one.
pub(crate) fn metastore(backend: SocketAddr, redis: &Redis) -> Gateway {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = std::fs::read_to_string(folder.join("config/examples/metastore.toml")).unwrap();
    let idl = folder.join("idl/metastore.thrift").display().to_string();
    let text = [
        ("127.0.0.1:9083", "127.0.0.1:0"),
        ("127.0.0.1:9084", &backend.to_string()),
        ("127.0.0.1:9098", "127.0.0.1:0"),
        ("../../idl/metastore.thrift", &idl),
        ("# [cache.shared]", "[cache.shared]"),
        ("# url = \"redis://127.0.0.1:6379/0\"", &format!("url = '{}'", redis.url())),
    ];
    let text = text.into_iter().fold(example, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let base = "[admin]\nbind = '127.0.0.1:0'\n[log]\nformat = 'json'\n[runtime]\nthreads = 2\n";
    let gateway = Gateway::start(&format!("{base}{text}"));
    gateway.finds_redis();
    eventually(|| gateway.metric("larder_coherence_lease", &[]) == 1);
    gateway
}

fn table(owner: &str) -> Json {
    json!({"struct": "Table", "fields": {"tableName": "Orders", "dbName": "Sales", "owner": owner}})
}

#[test]
fn who_changes_a_table_finds_it_changed_through_any_gateway_and_who_reads_it_in_an_outage() {
    let (mut backend, redis) = (python_metastore(), redis());
    let [one, other] = [(); 2].map(|()| metastore(backend.address(), &redis));
    eventually(|| one.metric("larder_gateways", &[]) == 2 && other.metric("larder_gateways", &[]) == 2);
    let [mut writer, mut reader] = [&one, &other].map(|it| PythonClient::of_metastore(it.address()));
    let mut get = move |name: &str| reader.call("get_table", json!(["sales", name]));
    let owner = |told: &Json| told["value"]["owner"].as_str().map(str::to_owned);

    assert_eq!(get("orders")["exception"], "NoSuchObjectException");
    assert_eq!(writer.call("create_table", json!([table("anna")])), json!({"value": null}));
    assert_eq!(owner(&get("orders")).as_deref(), Some("anna"));
    // Each call that the metastore has is counted in what it says.
    eventually(|| get("orders") == get("orders"));
    assert!(other.outcomes("hit_local") > 0);
    assert_eq!(writer.call("alter_table", json!(["SALES", "ORDERS", table("otto")])), json!({"value": null}));
    assert_eq!(owner(&get("orders")).as_deref(), Some("otto"));
    assert_eq!(owner(&get("ORDERS")).as_deref(), Some("otto"));

    // What is asked within two seconds of a write is not kept.
    eventually(|| get("orders") == get("orders"));
    backend.kill();
    assert_eq!(owner(&get("orders")).as_deref(), Some("otto"));
    assert_eq!(get("never_asked")["exception"], "TApplicationException");
    assert_eq!(
        writer.call("drop_table", json!(["sales", "orders", false]))["exception"],
        "TApplicationException"
    );
    // A write that failed takes nothing away.
    assert_eq!(owner(&get("orders")).as_deref(), Some("otto"));
    backend.revive();
    let gone = |told: Json| told["exception"] == "NoSuchObjectException";
    eventually(|| gone(get("orders")));
}

#[test]
fn the_example_is_right_as_it_stands() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/metastore.toml");
    let checked = larder().arg("check").arg(example).output().unwrap();
    let said = String::from_utf8_lossy(&[&checked.stdout[..], &checked.stderr].concat()).into_owned();
    assert!(checked.status.success() && said.contains("no warnings"), "{said}");
}
