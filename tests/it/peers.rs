//! The tests' own peers understand each other with no gateway between them.

use serde_json::json;

use crate::harness::*;

#[test]
fn the_scripted_backend_answers_the_exact_client() {
    for wire in Wire::ALL {
        let backend = backend_speaking(wire);
        let mut client = Client::connect(backend.address(), wire);
        assert_eq!(client.get_user(7).user_id(), 7);
        assert!(client.call(Message::call("unheard", 0, vec![])).is_exception());
        assert_eq!(backend.calls(), 2);
    }
}

#[test]
fn the_scripted_backend_answers_real_clients() {
    for library in Library::ALL {
        for &wire in library.wires() {
            let backend = backend_speaking(wire);
            let mut client = PythonClient::connect(backend.address(), library, wire);
            assert!(client.email(7).starts_with("call-"));
            assert_eq!(client.call("listUsers", json!([[1], {"a": "b"}])), json!({"value": []}));
        }
    }
}

#[test]
fn real_servers_answer_the_exact_client() {
    for library in Library::ALL {
        for &wire in library.wires() {
            let server = python_backend(library, wire);
            let mut client = Client::connect(server.address(), wire);
            assert_eq!(client.get_user(7).user_id(), 7);
            let listed = client.call(list_users(&[3, 1], &[("a", "b")]));
            assert!(matches!(listed.field(0), Some(Value::List(users)) if users.len() == 2), "{listed:?}");
        }
    }
}

#[test]
fn a_killed_backend_refuses_and_a_revived_one_answers() {
    let mut backend = backend();
    let mut client = Client::connect(backend.address(), Wire::framed());
    client.get_user(1);
    backend.kill();
    assert!(client.is_closed_unanswered());
    assert!(std::net::TcpStream::connect(backend.address()).is_err());
    backend.revive();
    Client::connect(backend.address(), Wire::framed()).get_user(2);
    assert_eq!(backend.connections(), 2);
}

#[test]
fn a_stalled_backend_answers_once_it_goes_on() {
    let backend = backend();
    backend.stall();
    let mut client = Client::connect(backend.address(), Wire::framed());
    client.send(get_user(1));
    backend.resume();
    assert_eq!(client.receive().user_id(), 1);
}

#[test]
fn a_killed_redis_comes_back_empty_on_its_port() {
    let mut redis = redis();
    redis.set("a", b"1");
    redis.kill();
    redis.restart();
    assert!(redis.keys().is_empty());
    redis.stop();
    redis.cont();
    redis.set("b", b"2");
    assert_eq!(redis.only_key(), "b");
}
