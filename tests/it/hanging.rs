//! What a hung server costs a client for whom an old entry is at hand.

use crate::harness::*;

/// Past the ttl of the rules here.
const STALE: std::time::Duration = ms(120);

/// A server that can be stopped, a gateway that keeps its answers by this rule, and a client.
fn scene(rule: &str) -> (PythonBackend, Gateway, PythonClient) {
    let server = python_backend(Library::Thriftpy2, Wire::unframed());
    let gateway =
        gateway().endpoint(server.address()).backend_speaks(Wire::unframed()).get_user(rule).start();
    let client = PythonClient::connect(gateway.address(), Library::Thriftpy2, Wire::unframed());
    (server, gateway, client)
}

/// A server that was only ever asked one call at a time may be one that handles one: that it says nothing proves nothing for ten seconds.
/// Clients of thriftpy2 give up after three.
#[test]
fn a_hung_server_costs_a_client_a_second_where_no_rule_says_less() {
    let (server, gateway, mut client) = scene("ttl = '100ms'\nstale_if_error = '60s'");
    let known = client.email(7);
    for id in 8..18 {
        client.email(id);
    }
    pass(STALE);
    server.stop();
    assert_eq!(client.email(7), known);
    assert_eq!(gateway.outcomes("stale_if_slow"), 1);
    server.cont();
    eventually(|| client.email(7) != known);
}

#[test]
fn a_hung_server_costs_a_client_no_more_than_the_soft_timeout() {
    let (server, gateway, mut client) =
        scene("ttl = '100ms'\nstale_if_error = '60s'\nsoft_timeout = '50ms'\ntimeout = '30s'");
    let known = client.email(7);
    pass(STALE);
    // The kernel goes on accepting and acknowledging; nothing else tells that the process stands still.
    server.stop();
    assert_eq!(client.email(7), known);
    assert_eq!((gateway.outcomes("stale_if_slow"), gateway.metric("larder_flights", &[])), (1, 1));
    server.cont();
    eventually(|| gateway.metric("larder_flights", &[]) == 0);
    eventually(|| client.email(7) != known);
}
