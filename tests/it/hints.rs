//! What the log says where it is plain what is wrong: who speaks what, and to whom.

use crate::harness::*;

/// What a client sends first, what the log calls it, and the reason under which its end is counted.
const FOREIGN: [(&[u8], &str, &str); 6] = [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http instead of thrift", "http"),
    (&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3], "tls instead of thrift", "tls"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "an ssh banner", "ssh"),
    (b"*1\r\n$4\r\nPING\r\n", "redis", "redis"),
    (&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], "postgresql", "postgres"),
    (&[0, 0, 0, 40, 0x10, 0, 0, 0], "kitex's ttheader", "ttheader"),
];

fn ends_by(gateway: &Gateway, reason: &str) -> u64 {
    gateway.metric("larder_connections_closed_total", &[("reason", reason)])
}

#[test]
fn a_client_that_speaks_something_else_is_named_in_the_log_and_counted() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    for (bytes, name, reason) in FOREIGN {
        gateway.client().send_bytes(bytes);
        gateway.logs(&["\"WARN\"", "a client's bytes cannot be read", name, "\"client\":\"127.0.0.1:"]);
        eventually(|| ends_by(&gateway, reason) == 1);
    }
}

#[test]
fn a_client_with_another_transport_than_is_fixed_is_told_of_as_such() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).listener("transport = 'framed'").start();
    gateway.client_speaking(Wire::unframed()).send(get_user(7));
    gateway.logs(&["unframed binary thrift, and not what is spoken here", "first bytes tell"]);
    eventually(|| ends_by(&gateway, "other_thrift") == 1);
}

/// The wrong way round in both ways, beside a real server of each kind.
#[test]
fn a_backend_with_another_transport_than_is_configured_is_told_of_as_such() {
    for (spoken, configured, told) in [
        (Wire::unframed(), Wire::framed(), "is its transport really framed?"),
        (Wire::framed(), Wire::unframed(), "is its transport really unframed?"),
    ] {
        let server = python_backend(Library::Thriftpy2, spoken);
        let gateway = gateway()
            .endpoint(server.address())
            .backend_speaks(configured)
            .section("log", "level = 'debug'")
            .start();
        let mut client = gateway.client_speaking(configured);
        let lines = |words: &str| gateway.log().iter().filter(|line| line.contains(words)).count();
        // It is tried again from time to time, and that is no end of what is wrong.
        eventually(|| {
            client.call(get_user(7));
            lines("endpoint stays out") == 2
        });
        let counts =
            [told, "endpoint is tried", "endpoint is back", "outage begins", "outage is over"].map(lines);
        assert_eq!((counts, lines("endpoint ejected")), ([1, 2, 0, 1, 0], 1), "{:?}", gateway.log());
    }
}
