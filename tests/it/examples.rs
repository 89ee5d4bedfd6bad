//! The example configurations, with what they are examples for.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::harness::*;

/// An example, with these texts in place of those.
fn example(name: &str, replaced: &[(&str, &str)]) -> Gateway {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = std::fs::read_to_string(folder.join("config/examples").join(name)).unwrap();
    let example = example.replace("../../idl/", &format!("{}/", folder.join("idl").display()));
    let example = replaced.iter().fold(example, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    // What an example does not say, tests must.
    let mut base = String::new();
    for (section, option) in
        [("[admin]", "bind = '127.0.0.1:0'"), ("[log]", "format = 'json'"), ("[runtime]", "threads = 2")]
    {
        if !example.contains(section) {
            base += &format!("{section}\n{option}\n");
        }
    }
    Gateway::start(&format!("{base}{example}"))
}

/// The example of a metastore, at free addresses, in front of this one.
pub(crate) fn metastore(backend: SocketAddr, redis: &Redis) -> Gateway {
    let replaced = [
        ("127.0.0.1:9083", "127.0.0.1:0"),
        ("127.0.0.1:9084", &backend.to_string()),
        ("127.0.0.1:9098", "127.0.0.1:0"),
        ("# [cache.shared]", "[cache.shared]"),
        ("# url = \"redis://127.0.0.1:6379/0\"", &format!("url = '{}'", redis.url())),
    ];
    let gateway = example("metastore.toml", &replaced);
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

/// The id of the user that a client is told of.
#[track_caller]
fn user(client: &mut PythonClient, id: i64, trace: &str) -> Json {
    client.call("getUser", json!([id, trace]))["value"]["email"].clone()
}

/// The files that an example shows certificates by, and those of the tests.
const FILES: [(&str, &str); 3] =
    [("authority.pem", "ca.pem"), ("gateway.pem", "gateway.pem"), ("gateway.key", "gateway.key")];

const FREE: (&str, &str) = ("127.0.0.1:9090", "127.0.0.1:0");

#[test]
fn a_thriftpy2_service_with_its_defaults_is_answered_for_while_it_is_away() {
    let wire = Wire { transport: Transport::Unframed, protocol: Protocol::Binary };
    let mut backend = python_backend(Library::Thriftpy2, wire);
    let gateway = example("quickstart.toml", &[FREE, ("127.0.0.1:9191", &backend.address().to_string())]);
    let mut client = PythonClient::connect(gateway.address(), Library::Thriftpy2, wire);
    let first = user(&mut client, 7, "a");
    assert_eq!(user(&mut client, 7, "b"), first);
    backend.kill();
    assert_eq!(user(&mut client, 7, "c"), first);
    assert_eq!(client.call("getUser", json!([8, "a"]))["exception"], "TApplicationException");
}

#[test]
fn a_multiplexed_server_is_read_through_a_cache_that_its_writes_keep_true() {
    let wire = Wire { transport: Transport::Framed, protocol: Protocol::Compact };
    let backend = multiplexed_python_backend(Library::Apache, wire);
    let endpoints = "\"10.0.0.1:9191\", \"10.0.0.2:9191\"";
    let here = format!("\"{}\"", backend.address());
    let gateway = example("multiplexed.toml", &[("0.0.0.0:9090", "127.0.0.1:0"), (endpoints, &here)]);
    let mut client = PythonClient::connect_with(gateway.address(), Library::Apache, wire, &["--multiplexed"]);
    let first = user(&mut client, 7, "a");
    assert_eq!(user(&mut client, 7, "b"), first);
    assert_eq!(client.call("renameUser", json!([7, "new"])), json!({"value": null}));
    let read = client.call("getUser", json!([7, "c"]));
    assert_eq!(read["value"]["name"], "new");
}

#[test]
fn a_sidecar_answers_for_its_services_within_its_applications_time() {
    let mut backend = backend();
    let gateway = example(
        "sidecar.toml",
        &[
            FREE,
            ("127.0.0.1:9191", &backend.address().to_string()),
            ("127.0.0.1:9099", "127.0.0.1:0"),
            ("[limits]", "[log]\nformat = 'json'\n[limits]"),
        ],
    );
    let mut client = gateway.client();
    assert_eq!(client.get_user(5).user_id(), 5);
    assert_eq!(client.get_user(5).user_id(), 5);
    assert_eq!(gateway.outcomes("hit_local"), 1);
    backend.kill();
    assert_eq!(client.get_user(5).user_id(), 5);
}

#[test]
fn gateways_behind_gateways_tell_each_other_how_they_are() {
    let service = backend();
    let inner = gateway().endpoint(service.address()).listener("fb303 = true").start();
    let outer = example("fb303.toml", &[FREE, ("127.0.0.1:9191", &inner.address().to_string())]);
    let mut client = outer.client();
    assert_eq!(client.get_user(5).user_id(), 5);
    // After an endpoint's first answer it is asked how it is.
    eventually(|| inner.outcomes("own") > 0);
    assert_eq!(client.get_user(6).user_id(), 6);
    assert_eq!(outer.outcomes("miss"), 2);
}

#[test]
fn where_nobody_trusts_the_network_clients_backends_and_operators_show_who_they_are() {
    let papers = Papers::new();
    ["gateway", "backend", "client", "operator"].iter().for_each(|name| papers.issue(name));
    let wire = Wire { transport: Transport::Framed, protocol: Protocol::Binary };
    let (ca, shown) = (papers.path("ca.pem"), |name: &str| papers.path(&format!("{name}.both")));
    let backend = encrypted_python_backend(
        Library::Apache,
        wire,
        &["--tls-certificate", &shown("backend"), "--tls-ca", &ca],
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = std::fs::read_to_string(folder.join("config/examples/encrypted.toml")).unwrap();
    let idl = folder.join("idl/users.thrift").display().to_string();
    let text = [
        ("127.0.0.1:9099\"\n#", "127.0.0.1:0\"\n#"),
        ("127.0.0.1:9090", "127.0.0.1:0"),
        ("127.0.0.1:9191", &backend.address().to_string()),
        ("../../idl/users.thrift", &idl),
    ];
    let text = text.into_iter().fold(example, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let text = FILES.into_iter().fold(text, |text, (from, to)| {
        text.replace(&format!("\"{from}\""), &format!("'{}'", papers.path(to)))
    });
    let gateway = Gateway::start(&format!("[log]\nformat = 'json'\n[runtime]\nthreads = 2\n{text}"));
    let known = ["--tls-ca", &ca, "--tls-certificate", &shown("client")];
    let mut client = PythonClient::connect_with(gateway.address(), Library::Apache, wire, &known);
    assert_eq!(client.email(7), client.email(7));
    let (admin, certificate, key) =
        (format!("https://{}", gateway.admin()), papers.path("operator.pem"), papers.path("operator.key"));
    let asked = ["nagios", &admin, "--ca", &ca, "--client-cert", &certificate, "--client-key", &key];
    let told = larder().args(asked).output().unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains("expires in"), "{told:?}");
}

/// Beside the IDL that they name, and with papers of the tests' own, which nobody has as they stand.
#[test]
fn the_examples_are_right_as_they_stand() {
    let (papers, folder) = (Papers::new(), tempfile::tempdir().unwrap());
    papers.issue("gateway");
    let examples = folder.path().join("config/examples");
    copy("config/examples", &examples);
    copy("idl", &folder.path().join("idl"));
    for (from, to) in FILES {
        std::fs::copy(papers.path(to), examples.join(from)).unwrap();
    }
    let all = std::fs::read_dir(&examples).unwrap().map(|example| example.unwrap().path());
    for example in all.filter(|path| path.extension().is_some_and(|is| is == "toml")) {
        let checked = larder().arg("check").arg(&example).output().unwrap();
        let said = String::from_utf8_lossy(&[&checked.stdout[..], &checked.stderr].concat()).into_owned();
        assert!(checked.status.success() && said.contains("no warnings"), "{said}");
    }
}

/// Copies the files of a folder of the repository.
fn copy(from: &str, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(from)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
