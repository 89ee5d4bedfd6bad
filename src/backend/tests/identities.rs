//! Connections that belong to whoever has said who he is.

use super::world::*;
use crate::call::identity::{Identity, Secret, SessionCall};

fn said(name: &'static str) -> SessionCall {
    SessionCall::new(&call_of(name), &idempotent(), SECOND)
}

/// Who has made calls of these names.
fn who(names: &[&'static str]) -> Arc<Identity> {
    let say = |prior: Option<Arc<Identity>>, name: &&'static str| {
        Identity::after(prior.as_ref(), said(name), &[0], &Secret::default())
    };
    names.iter().fold(None, say).unwrap()
}

fn by(name: &'static str, identity: &Arc<Identity>) -> Call {
    Call { identity: Some(Arc::clone(identity)), ..call_of(name) }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_is_said_again_on_each_new_connection_and_on_no_other() {
    let mut world = World::of(1);
    let backend = world.start();
    let (ann, ben) = (who(&["ann", "sales"]), who(&["ben"]));
    for _ in 0..3 {
        backend.answer(&by("get", &ann), &idempotent(), SECOND).await.unwrap();
        backend.answer(&by("get", &ben), &once(), SECOND).await.unwrap();
        backend.answer(&call_of("get"), &once(), SECOND).await.unwrap();
    }
    let server = &world.servers[0];
    let said: Vec<_> = server.heard().into_iter().zip(server.methods()).collect();
    let of = |number| said.iter().filter(|call| call.0 == number).map(|call| &*call.1).collect::<Vec<_>>();
    assert_eq!(of(1), ["ann", "sales", "get", "get", "get"]);
    assert_eq!(of(2), ["ben", "get", "get", "get"]);
    assert_eq!(of(3), ["get", "get", "get"]);
}

/// A metastore takes it amiss if it is told again on one connection who calls.
#[tokio::test(start_paused = true)]
async fn no_connection_hears_a_session_call_twice() {
    let mut world = World::of(1);
    let backend = world.start();
    let [first, ann] = [who(&["ann"]), who(&["ann", "sales"])];
    for _ in 0..2 {
        backend.answer(&by("ann", &first), &idempotent(), SECOND).await.unwrap();
        backend.answer(&by("sales", &ann), &idempotent(), SECOND).await.unwrap();
        backend.answer(&by("get", &ann), &idempotent(), SECOND).await.unwrap();
    }
    let said: Vec<_> = world.servers[0].heard().into_iter().zip(world.servers[0].methods()).collect();
    let of = |number| said.iter().filter(|call| call.0 == number).map(|call| &*call.1).collect::<Vec<_>>();
    assert_eq!(of(1), ["ann", "sales", "get"]);
    assert_eq!(of(2), ["ann", "sales", "get"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_it_fails_is_used_for_nothing() {
    let mut world = World::of(1);
    let backend = world.start();
    let ann = who(&["ann"]);
    let server = world.servers[0].clone();
    for (act, fault) in [
        (Act::AnswerField(1), "session"),
        (Act::Refuse, "exception"),
        (Act::HangUp, "closed"),
        (Act::WrongSeqid, "garbage"),
        (Act::Hang, "timeout"),
    ] {
        server.at("ann", act);
        let opened = world.opened();
        let asked = backend.answer(&by("get", &ann), &idempotent(), None).await;
        assert_eq!(asked.unwrap_err().as_str(), fault);
        server.at("ann", Act::Answer);
        backend.answer(&by("get", &ann), &idempotent(), None).await.unwrap();
        assert!(world.opened() >= opened + 2, "{fault}");
        // The one that is good goes, so that the next is new again.
        backend.endpoints.first().pool.close_one();
    }
    let gets = server.methods().iter().filter(|method| *method == "get").count();
    assert_eq!(gets, 5);
}

#[tokio::test(start_paused = true)]
async fn a_failed_session_call_leaves_no_connection() {
    let mut world = World::of(1);
    let backend = world.start();
    let ann = who(&["ann"]);
    world.servers[0].at("ann", Act::AnswerField(1));
    backend.answer(&by("ann", &ann), &idempotent(), SECOND).await.unwrap();
    assert_eq!(backend.endpoints()[0].connections, 0);
    world.servers[0].at("ann", Act::Answer);
    backend.answer(&by("ann", &ann), &idempotent(), SECOND).await.unwrap();
    assert_eq!(backend.endpoints()[0].connections, 1);
}

#[tokio::test(start_paused = true)]
async fn of_many_who_call_those_who_call_least_have_no_connection_at_rest() {
    let mut world = World::of(1);
    world.settings.max_connections = 3;
    let backend = world.start();
    let often = who(&["often"]);
    for rare in ["a", "b", "c", "d", "e", "f"] {
        backend.answer(&by("get", &often), &idempotent(), SECOND).await.unwrap();
        backend.answer(&by("get", &who(&[rare])), &idempotent(), SECOND).await.unwrap();
        assert!(backend.endpoints()[0].connections <= 3);
    }
    let methods = world.servers[0].methods();
    assert_eq!(methods.iter().filter(|method| *method == "often").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn lanes_runs_and_own_connections_are_his_too() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Handle(Duration::ZERO));
    let mut client = Client::of(&backend);
    client.session = Arc::new(Session::identified(who(&["ann"])));
    let identity = client.session.identity().cloned().unwrap();
    let told = Call { kind: crate::wire::message::Kind::Oneway, ..by("tell", &identity) };
    client.tell_within(&told, None).await.unwrap();
    client.run(Place::First, &by("put", &identity), None).await.unwrap();
    client.session = Arc::new(client.session.own());
    client.run(Place::Alone, &by("mine", &identity), None).await.unwrap();
    let server = &world.servers[0];
    assert_eq!(server.methods(), ["ann", "tell", "put", "ann", "mine"]);
    assert_eq!(server.heard(), [1, 1, 1, 2, 2]);
}
