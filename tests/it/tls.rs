//! TLS at both sides and at the admin endpoint, with real clients and servers, and what becomes of those who speak none.

use std::io::Read;
use std::process::Output;

use crate::harness::*;

const WIRE: Wire = Wire { transport: Transport::Framed, protocol: Protocol::Binary };
const LIBRARIES: [Library; 2] = [Library::Thriftpy2, Library::Apache];

/// A client that believes the authority.
fn client(gateway: &Gateway, library: Library, papers: &Papers) -> PythonClient {
    PythonClient::connect_with(gateway.address(), library, WIRE, &["--tls-ca", &papers.path("ca.pem")])
}

fn encrypted_backend(library: Library, papers: &Papers, name: &str) -> PythonBackend {
    encrypted_python_backend(library, WIRE, &["--tls-certificate", &papers.path(&format!("{name}.both"))])
}

fn run(arguments: &[&str]) -> Output {
    larder().args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn clients_and_servers_of_both_libraries_are_encrypted_and_calls_are_hits_all_the_same() {
    let papers = Papers::new();
    papers.issue("gateway");
    papers.issue("backend");
    for library in LIBRARIES {
        let backend = encrypted_backend(library, &papers, "backend");
        let gateway = gateway()
            .endpoint(backend.address())
            .listener(&papers.shown("gateway"))
            .backend(&papers.believed())
            .get_user("ttl = '1m'")
            .start();
        let [mut one, mut other] = LIBRARIES.map(|library| client(&gateway, library, &papers));
        let emails = [one.email(7), other.email(7), one.email(7), other.email(8)];
        assert_eq!(emails[0], emails[1]);
        assert_eq!((gateway.outcomes("hit_local"), gateway.outcomes("miss")), (2, 2));
        // What no rule names passes; long replies come in many records.
        let ids: Vec<i64> = (0..2_000).collect();
        let many = one.call("listUsers", serde_json::json!([ids, null]));
        assert_eq!(many["value"].as_array().map(Vec::len), Some(2_000), "{many}");
    }
}

#[test]
fn a_call_from_a_shell_and_a_look_at_endpoints_are_encrypted_too() {
    let papers = Papers::new();
    ["gateway", "backend"].iter().for_each(|name| papers.issue(name));
    let backend = encrypted_backend(Library::Thriftpy2, &papers, "backend");
    let config =
        gateway().endpoint(backend.address()).listener(&papers.shown("gateway")).backend(&papers.believed());
    let looked = check_by(&config.text(), &["--connect"]);
    assert!(looked.status.success() && said(&looked).contains("answers framed binary"), "{}", said(&looked));
    let gateway = config.start();
    let (address, idl, ca) =
        (gateway.address().to_string(), idl().display().to_string(), papers.path("ca.pem"));
    let words = ["call", &address, "UserService.getUser", "{\"id\": 7}", "--idl", &idl, "--tls", "--ca", &ca];
    let called = run(&words);
    assert!(called.status.success() && said(&called).contains("user-7"), "{}", said(&called));
}

#[test]
fn both_sides_may_have_to_show_certificates() {
    let papers = Papers::new();
    ["gateway", "backend", "client"].iter().for_each(|name| papers.issue(name));
    let backend = encrypted_python_backend(
        Library::Apache,
        WIRE,
        &["--tls-certificate", &papers.path("backend.both"), "--tls-ca", &papers.path("ca.pem")],
    );
    let ours = format!(
        "tls = {{ ca = '{}', certificate = '{}', key = '{}' }}",
        papers.path("ca.pem"),
        papers.path("gateway.pem"),
        papers.path("gateway.key")
    );
    let gateway = gateway()
        .endpoint(backend.address())
        .listener(&papers.shown_to_ours("gateway"))
        .backend(&ours)
        .start();
    for library in LIBRARIES {
        let shown = ["--tls-ca", &papers.path("ca.pem"), "--tls-certificate", &papers.path("client.both")];
        PythonClient::connect_with(gateway.address(), library, WIRE, &shown).email(7);
    }
    let _nameless = client(&gateway, Library::Apache, &papers);
    gateway.logs(&["\"WARN\"", "a client's tls handshake failed", "shows no certificate", "tls.client_ca"]);
    eventually(|| gateway.closed("tls_nameless") == 1);
}

#[test]
fn who_speaks_no_tls_where_it_is_spoken_is_told_of_and_so_is_who_speaks_it_where_it_is_not() {
    let (papers, backend) = (Papers::new(), backend());
    papers.issue("gateway");
    let encrypted = gateway().endpoint(backend.address()).listener(&papers.shown("gateway")).start();
    let mut plain = encrypted.client();
    plain.send(get_user(7));
    encrypted.logs(&[
        "a client's tls handshake failed",
        "what the client sends is no tls",
        "have the client speak tls",
    ]);
    eventually(|| encrypted.closed("tls_plain") == 1);
    let plain = gateway().endpoint(backend.address()).start();
    let _client = client(&plain, Library::Apache, &papers);
    plain.logs(&["a client's bytes cannot be read", "tls instead of thrift", "this listener speaks no tls"]);
}

#[test]
fn a_client_that_says_nothing_costs_the_others_nothing_and_is_not_waited_for_without_end() {
    let (papers, backend) = (Papers::new(), backend());
    papers.issue("gateway");
    let gateway = gateway()
        .endpoint(backend.address())
        .listener(&papers.shown("gateway"))
        .section("limits", "message_time = '500ms'")
        .start();
    let mut silent = gateway.client();
    client(&gateway, Library::Apache, &papers).email(7);
    assert_eq!(silent.stream().read(&mut [0]).unwrap_or(0), 0);
    gateway.logs(&["a client's tls handshake failed", "not finished in time"]);
    eventually(|| gateway.closed("tls_late") == 1);
}

#[test]
fn a_backend_that_does_not_prove_to_be_the_one_is_out_and_everybody_is_told_why() {
    let papers = Papers::new();
    papers.issue_for("expired", &["127.0.0.1"], 2020);
    papers.issue_for("elsewhere", &["orders.example"], 4000);
    for (name, why) in [("expired", "expired"), ("elsewhere", "orders.example")] {
        let backend = encrypted_backend(Library::Apache, &papers, name);
        let gateway = gateway().endpoint(backend.address()).backend(&papers.believed()).start();
        let mut client = gateway.client();
        let untrusted = [("reason", "untrusted")];
        eventually(|| {
            client.call(get_user(7));
            gateway.metric("larder_endpoint_state", &untrusted) == 1
        });
        gateway.logs(&["endpoint ejected", "\"why\":\"untrusted\"", why]);
        let nagios = run(&["nagios", &gateway.admin().to_string()]);
        assert!(nagios.status.code() == Some(2) && said(&nagios).contains(why), "{}", said(&nagios));
    }
}

#[test]
fn a_backend_without_tls_is_out_too() {
    let (papers, backend) = (Papers::new(), python_backend(Library::Apache, WIRE));
    let gateway = gateway().endpoint(backend.address()).backend(&papers.believed()).start();
    let mut client = gateway.client();
    eventually(|| {
        client.call(get_user(7));
        gateway.metric("larder_endpoint_state", &[("state", "ejected")]) == 1
    });
}

#[test]
fn certificates_are_renewed_under_load_and_no_call_is_lost() {
    let (papers, others) = (Papers::new(), Papers::new());
    [&papers, &others].iter().for_each(|papers| papers.issue("gateway"));
    papers.issue("backend");
    let backend = encrypted_backend(Library::Apache, &papers, "backend");
    let gateway = gateway()
        .endpoint(backend.address())
        .listener(&papers.shown("gateway"))
        .backend(&papers.believed())
        .get_user("ttl = '1s'")
        .start();
    let mut clients = LIBRARIES.map(|library| client(&gateway, library, &papers));
    let mut call = || clients.iter_mut().for_each(|client| drop(client.email(7)));
    call();
    papers.take_from(&others, "gateway");
    let renewed =
        |line: &String| line.contains("certificates are renewed") && line.contains("listeners.users");
    eventually(|| {
        call();
        gateway.log().iter().any(renewed)
    });
    LIBRARIES.iter().for_each(|library| drop(client(&gateway, *library, &others).email(7)));
    call();
    assert_eq!(gateway.outcomes("failed"), 0);
    // The wrong key beside it leaves what there is.
    std::fs::copy(papers.path("backend.key"), papers.path("gateway.key")).unwrap();
    let section = [("section", "listeners.users")];
    eventually(|| gateway.metric("larder_certificate_unusable", &section) == 1);
    client(&gateway, Library::Apache, &others).email(7);
    assert!(gateway.metric("larder_certificate_expiry_timestamp_seconds", &section) > 60_000_000_000);
}

#[test]
fn the_admin_endpoint_speaks_tls_and_commands_ask_it_so() {
    let (papers, backend) = (Papers::new(), backend());
    ["gateway", "operator"].iter().for_each(|name| papers.issue(name));
    let admin = papers.shown_to_ours("gateway");
    let gateway = gateway().endpoint(backend.address()).section("admin", &admin).start();
    let (plain, encrypted) = (gateway.admin().to_string(), format!("https://{}", gateway.admin()));
    let (ca, operator) =
        (papers.path("ca.pem"), ["pem", "key"].map(|kind| papers.path(&format!("operator.{kind}"))));
    let known = ["--ca", &ca, "--client-cert", &operator[0], "--client-key", &operator[1]];
    let asked = |words: &[&str]| run(&[words, &known].concat());
    let alive = asked(&["alive", &encrypted]);
    assert!(alive.status.success(), "{}", said(&alive));
    let nagios = said(&asked(&["nagios", &encrypted]));
    assert!(nagios.contains("a certificate of admin expires in"), "{nagios}");
    assert!(
        !run(&["alive", &encrypted, "--ca", &ca]).status.success(),
        "nobody is let in without a certificate"
    );
    assert!(!run(&["alive", &encrypted]).status.success(), "the system does not know the authority");
    assert!(!run(&["alive", &plain]).status.success());
    let idle = asked(&["alive", &plain]);
    assert!(idle.status.code() == Some(64) && said(&idle).contains("write https://"), "{}", said(&idle));
}

#[test]
fn what_is_wrong_with_papers_is_told_by_check_with_option_and_file() {
    let papers = Papers::new();
    papers.issue_for("gateway", &["127.0.0.1"], 2020);
    papers.issue("other");
    let text = |tls: &str| gateway().endpoint(([127, 0, 0, 1], 1).into()).listener(tls).text();
    let told = |tls: &str, parts: &[&str]| {
        let said = said(&check(&text(tls)));
        assert!(parts.iter().all(|part| said.contains(part)), "{tls}: {said}");
    };
    told(
        &papers.shown("gateway"),
        &["warning: ", "listeners.users.tls", "gateway.pem has expired", "no problems"],
    );
    told(&papers.shown("nobody"), &["listeners.users.tls.certificate", "nobody.pem cannot be read"]);
    let other = papers.shown("gateway").replace("gateway.key", "other.key");
    told(&other, &["listeners.users.tls.key", "other.key: is no key of the certificate"]);
    told("tls = { certificate = 'x.pem' }", &["listeners.users.tls.key: missing"]);
}
