//! Several backends behind one listener: which is asked for what.

use crate::harness::*;

/// Another backend, `more`, which speaks this.
fn more(address: std::net::SocketAddr, wire: Wire) -> String {
    let (transport, protocol) = (wire.transport_name(), wire.protocol_name());
    format!("endpoints = ['{address}']\ntransport = '{transport}'\nprotocol = '{protocol}'")
}

/// How many calls of the last minute were for each backend, by name.
fn calls(gateway: &Gateway) -> Vec<u64> {
    let (_, status) = gateway.page("/v1/status").unwrap();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let backends = status["backends"].as_array().unwrap();
    backends.iter().map(|backend| backend["window"]["calls"].as_u64().unwrap()).collect()
}

/// A server that answers multiplexed calls alone, and one that does not know them.
#[test]
fn two_services_behind_one_listener_are_told_apart_by_name() {
    let wire = Wire::unframed();
    let plain = python_backend(Library::Thriftpy2, wire);
    let multiplexed = multiplexed_python_backend(Library::Thriftpy2, wire);
    let builder = gateway().without_idl().endpoint(plain.address()).backend_speaks(wire);
    let builder = builder.section("backends.more", &more(multiplexed.address(), wire));
    let text = builder.rule("UserService.*", "backend = 'more'").text();
    let gateway = Gateway::start(&text.replace("service = 'UserService'", "service = 'Plain'"));
    let mut client = gateway.client_speaking(wire);
    let named = |id| Message { name: "UserService:getUser".to_owned(), ..get_user(id) };
    for id in 1..=5 {
        assert_eq!(client.call(get_user(id)).user_id(), id);
        assert_eq!(client.call(named(id)).user_id(), id);
    }
    let mut library =
        PythonClient::connect_with(gateway.address(), Library::Thriftpy2, wire, &["--multiplexed"]);
    assert!(library.email(7).ends_with(&multiplexed.address().port().to_string()));
    eventually(|| calls(&gateway) == [6, 5]);
}

#[test]
fn a_method_has_entries_of_its_own_at_each_backend() {
    let (first, second) = (backend(), backend());
    let builder =
        gateway().endpoint(first.address()).section("backends.more", &more(second.address(), Wire::framed()));
    let text = |rule: &str| builder.clone().get_user(&format!("ttl = '60s'\n{rule}")).text();
    let gateway = Gateway::start(&text(""));
    let mut client = gateway.client();
    let mut from = |rule: &str| {
        gateway.configure(&text(rule));
        assert_eq!(gateway.command("/v1/reload").0, 200);
        let emails = [client.get_user(1).email(), client.get_user(1).email()];
        assert_eq!(emails[0], emails[1]);
        emails[0].rsplit('-').next().unwrap().parse::<u16>().unwrap()
    };
    let ports = ["", "backend = 'more'", ""].map(&mut from);
    assert_eq!(ports, [&first, &second, &first].map(|backend| backend.address().port()));
    assert_eq!((first.calls(), second.calls()), (1, 1), "what was kept is there when the rule is back");
}

/// Real servers: the usual one is killed, hangs, and comes back; the backup answers whatever is not kept.
#[test]
fn a_backup_answers_for_a_backend_that_is_killed_or_hangs() {
    let (mut usual, spare) = (backend(), backend());
    let rule = "ttl = '0s'\nstale_if_error = '60s'\ntimeout = '20s'\nbackup = 'more'";
    let more = more(spare.address(), Wire::framed());
    let gateway = gateway().endpoint(usual.address()).section("backends.more", &more).get_user(rule).start();
    let mut client = gateway.client();
    let mut port = |id| {
        let email = client.call(get_user(id)).email();
        email.rsplit('-').next().unwrap().parse::<u16>().unwrap()
    };
    let ports = [usual.address().port(), spare.address().port()];
    assert_eq!(port(1), ports[0]);
    usual.kill();
    let mut fresh = 2..;
    let mut next = || port(fresh.next().unwrap());
    for _ in 0..10 {
        assert_eq!(next(), ports[1]);
    }
    usual.revive();
    eventually(|| next() == ports[0]);
    usual.stall();
    assert_eq!(next(), ports[1], "it is found to hang, and the caller is answered");
    usual.resume();
    eventually(|| next() == ports[0]);
    assert_eq!(port(1), ports[0]);
    assert!(gateway.outcomes("backup") >= 11 && gateway.outcomes("failed") == 0);
    assert_eq!(gateway.metric("larder_outages_total", &[("backend", "more")]), 0);
}
