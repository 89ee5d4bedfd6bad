//! Several backends behind one listener: which is asked for what.

use crate::harness::*;

/// Another backend, `more`, which speaks this.
fn more(address: std::net::SocketAddr, wire: Wire) -> String {
    let (transport, protocol) = (wire.transport_name(), wire.protocol_name());
    format!("endpoints = ['{address}']\ntransport = '{transport}'\nprotocol = '{protocol}'")
}

/// How many calls of the last minute were for each backend, by name.
fn calls(gateway: &Gateway) -> Vec<u64> {
    let (_, status) = gateway.page("/status").unwrap();
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
        assert_eq!(gateway.command("/reload").0, 200);
        let emails = [client.get_user(1).email(), client.get_user(1).email()];
        assert_eq!(emails[0], emails[1]);
        emails[0].rsplit('-').next().unwrap().parse::<u16>().unwrap()
    };
    let ports = ["", "backend = 'more'", ""].map(&mut from);
    assert_eq!(ports, [&first, &second, &first].map(|backend| backend.address().port()));
    assert_eq!((first.calls(), second.calls()), (1, 1), "what was kept is there when the rule is back");
}
