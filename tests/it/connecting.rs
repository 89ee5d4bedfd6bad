//! `larder check --connect`: whether what a configuration names is there and is what it says.

use crate::harness::*;

/// The exit code and all that is said.
fn connects(config: &str) -> (Option<i32>, String) {
    let output = check_by(config, &["--connect"]);
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[track_caller]
fn says(config: &str, code: i32, words: &[&str]) {
    let (exited, said) = connects(config);
    assert!(exited == Some(code) && words.iter().all(|word| said.contains(word)), "{exited:?}: {said}");
}

#[test]
fn an_endpoint_and_redis_that_are_as_told_are_named_with_what_they_are() {
    let (server, redis) = (python_backend(Library::Thriftpy2, Wire::unframed()), redis());
    let config = gateway().endpoint(server.address()).backend_speaks(Wire::unframed()).shared(&redis);
    let endpoint = format!("backends.users: {} answers unframed binary, in ", server.address());
    says(&config.text(), 0, &[&endpoint, &format!("cache.shared: {} answers as redis ", redis.address())]);
}

#[test]
fn who_is_posted_to_answers_http_and_who_is_not_is_named_by_what_it_speaks() {
    let server = posted_python_backend(Library::Thriftpy2, Protocol::Binary);
    let posted = |to| gateway().endpoint(to).backend_is_posted_to().text();
    says(&posted(server.address()), 0, &[&format!("{} answers http binary, in ", server.address())]);
    let framed = backend();
    says(
        &posted(framed.address()),
        1,
        &[&format!("{} answers framed binary, and not http", framed.address())],
    );
}

#[test]
fn what_is_dead_is_named_beside_what_lives() {
    let (server, mut redis) = (backend(), redis());
    let (_reserved, dead) = reserve();
    redis.kill();
    let config = gateway().endpoint(server.address()).endpoint(dead).shared(&redis).text();
    let lives = format!("backends.users: {} answers framed binary", server.address());
    let gone = format!("backends.users: no connection to {dead}: ");
    let away = format!("cache.shared: {} cannot be used: cannot connect: ", redis.address());
    says(&config, 1, &[&lives, &gone, &away]);
}

#[test]
fn an_endpoint_that_speaks_otherwise_is_told_of_with_what_it_speaks() {
    for (spoken, told) in [(Wire::unframed(), Wire::framed()), (Wire::framed(), Wire::unframed())] {
        let server = python_backend(Library::Thriftpy2, spoken);
        let config = gateway().endpoint(server.address()).backend_speaks(told).text();
        let [speaks, told] = [spoken, told].map(|wire| format!("{} binary", wire.transport_name()));
        says(&config, 1, &[&format!("{} answers {speaks}, and not {told}", server.address())]);
    }
}

#[test]
fn redis_in_another_form_than_told_is_named() {
    let (server, redis) = (backend(), redis());
    let cluster = format!("cluster = ['{}']", redis.address());
    let config = gateway().endpoint(server.address()).section("cache.shared", &cluster).text();
    says(&config, 1, &["runs as standalone, and not as cluster"]);
}

#[test]
fn a_configuration_that_cannot_be_used_connects_to_nothing() {
    says("[log]\nlevle = 'info'", 78, &["did you mean level?"]);
}
