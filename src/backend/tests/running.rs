//! Calls that follow each other on one connection without waiting: their order, and what becomes of them if one goes wrong.

use bytes::Bytes;
use futures_util::future::join_all;

use super::world::*;
use crate::wire::Bounds;

const MOMENT: Duration = Duration::from_millis(1);
const TENTH: Duration = Duration::from_millis(100);

/// What comes of calls that a client makes at once.
async fn all(client: &Client, calls: &[Call], timeout: Option<Duration>) -> Vec<Result<Said, &'static str>> {
    let places = std::iter::once(Place::First).chain(std::iter::repeat(Place::Behind));
    let asked = places.zip(calls).map(|(place, call)| client.run(place, call, timeout));
    let asked = join_all(asked).await;
    asked.into_iter().map(|one| one.map(|answer| answer.said).map_err(|fault| fault.as_str())).collect()
}

/// What comes of calls of these methods that a client makes at once.
async fn run(client: &Client, names: &[&str], timeout: Option<Duration>) -> Vec<Result<Said, &'static str>> {
    let calls: Vec<Call> = names.iter().map(|name| call_of(name)).collect();
    all(client, &calls, timeout).await
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_one_connection_and_keeps_its_order() {
    let mut world = World::of(3);
    let backend = world.start();
    world.all(Act::AnswerCount);
    let client = Client::of(&backend);
    let names: Vec<String> = (0..100).map(|number| format!("add{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for turn in 0..3 {
        let asked = run(&client, &names, None).await;
        let first = turn * 100 + 1;
        let server = world.servers.iter().find(|server| server.calls() > 0).unwrap();
        // Each has the answer that was given to it.
        if world.servers.iter().filter(|server| server.calls() > 0).count() == 1 {
            assert_eq!(server.methods()[turn * 100..], names);
            let expected: Vec<_> = (first..first + 100).map(|n| Ok(Said::Declared(n as i16))).collect();
            assert_eq!(asked, expected);
        }
    }
    assert_eq!(world.calls(), 300);
    assert!(world.opened() <= 3, "each run ends with its last reply, and its connection is anybody's");
}

#[tokio::test(start_paused = true)]
async fn no_call_of_a_run_waits_for_the_reply_before_it() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(TENTH));
    let client = Client::of(&backend);
    let asking = tokio::spawn({
        let client = client.clone();
        async move { run(&client, &["a", "b", "c"], None).await }
    });
    tokio::time::sleep(MOMENT).await;
    // A server that stops after its first call has been sent the others.
    world.all(Act::HangUp);
    let asked = asking.await.unwrap();
    assert_eq!(asked, [Ok(Said::Result), Err("closed"), Err("closed")]);
    assert_eq!(world.servers[0].methods(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_with_one_call_answers_no_other_and_nothing_is_sent_again() {
    for (act, fault) in [
        (Act::HangUp, "closed"),
        (Act::WrongSeqid, "garbage"),
        (Act::WrongName, "garbage"),
        (Act::WrongKind, "garbage"),
        (Act::AnswerHalf, "garbage"),
        (Act::Babble(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "garbage"),
        (Act::AnswerLarge(1 << 20), "oversized"),
    ] {
        let mut world = World::of(2);
        world.settings.bounds = Bounds { frame: 1 << 20, message: 1 << 20, ..Bounds::default() };
        let backend = world.start();
        for server in &world.servers {
            server.at("bad", act);
        }
        let client = Client::of(&backend);
        let asked = run(&client, &["a", "bad", "c", "d"], None).await;
        let closed = Err("closed");
        assert_eq!(asked, [Ok(Said::Result), Err(fault), closed, closed], "{act:?}");
        let heard: Vec<String> = world.servers.iter().flat_map(Server::methods).collect();
        assert!(heard.iter().filter(|name| *name == "bad").count() == 1, "{act:?}: {heard:?}");
        assert!(heard.len() <= 4, "{act:?}: {heard:?}");
        // What comes next finds another connection.
        assert_eq!(run(&client, &["e", "f"], None).await, [Ok(Said::Result), Ok(Said::Result)], "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_given_twice_is_not_the_next_calls() {
    let mut world = World::of(1);
    let backend = world.start();
    world.servers[0].at("twice", Act::AnswerTwice);
    let asked = run(&Client::of(&backend), &["a", "twice", "c"], None).await;
    assert_eq!(asked, [Ok(Said::Result), Ok(Said::Result), Err("garbage")]);
}

#[tokio::test(start_paused = true)]
async fn an_exception_ends_nothing() {
    let mut world = World::of(1);
    let backend = world.start();
    world.servers[0].at("unknown", Act::Refuse);
    world.servers[0].at("declared", Act::AnswerField(1));
    let asked = run(&Client::of(&backend), &["a", "unknown", "declared", "d"], None).await;
    assert_eq!(asked, [Ok(Said::Result), Err("exception"), Ok(Said::Declared(1)), Ok(Said::Result)]);
    assert_eq!(world.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_begins_when_all_before_it_are_answered() {
    let mut world = World::of(1);
    world.settings.ejection_failures = 1;
    let backend = world.start();
    world.all(Act::AnswerAfter(TENTH * 8));
    world.servers[0].at("hangs", Act::AnswerAfter(Duration::from_secs(60)));
    let client = Client::of(&backend);
    let began = Instant::now();
    let asked = run(&client, &["a", "b", "c", "hangs", "e"], SECOND).await;
    let ok = || Ok(Said::Result);
    assert_eq!(asked, [ok(), ok(), ok(), Err("timeout"), Err("closed")]);
    assert_eq!(began.elapsed(), TENTH * 34);
    // It had all its time, and nothing else was in its way.
    assert_eq!(backend.methods_out(), ["hangs"]);
}

/// Of a call that its client no longer waits for, nobody can say when its reply would have ended.
#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_ends_the_run_when_its_reply_is_due() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(TENTH));
    let client = Client::of(&backend);
    let calls = ["a", "b", "c"].map(call_of);
    let first = client.run(Place::First, &calls[0], None);
    let second = tokio::time::timeout(TENTH / 2, client.run(Place::Behind, &calls[1], None));
    let third = client.run(Place::Behind, &calls[2], None);
    let (first, second, third) = tokio::join!(first, second, third);
    assert!(first.is_ok() && second.is_err());
    assert_eq!(third.unwrap_err().as_str(), "closed");
    client.ask(&once(), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_behind_its_clients_oneways_and_the_next_oneway_behind_the_run() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Handle(TENTH));
    let client = Client::of(&backend);
    client.tell("first").await.unwrap();
    client.tell("second").await.unwrap();
    run(&client, &["a", "b", "c"], None).await.into_iter().for_each(|one| _ = one.unwrap());
    client.tell("third").await.unwrap();
    tokio::time::sleep(MOMENT).await;
    assert_eq!(world.servers[0].methods(), ["first", "second", "a", "b", "c", "third"]);
    assert_eq!(world.opened(), 1);
}

/// 64 KiB fit into each direction: a gateway that only wrote would wait for ever.
#[tokio::test(start_paused = true)]
async fn replies_are_read_while_large_calls_are_written() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerLarge(50_000));
    let client = Client::of(&backend);
    let calls = vec![Call { body: Bytes::from(text(50_000)), ..call() }; 20];
    assert_eq!(all(&client, &calls, SECOND).await, [Ok(Said::Result); 20]);
    assert_eq!(world.opened(), 1);
}

/// What cannot be written any more has not left: it goes to another connection, call by call.
#[tokio::test(start_paused = true)]
async fn calls_that_had_not_left_go_elsewhere_in_their_order() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerCount);
    world.servers[0].at("slow", Act::AnswerAfter(TENTH));
    world.servers[0].at("bad", Act::HangUp);
    let names = ["slow", "bad", "c", "d", "e", "f", "g"];
    let calls = names.map(|name| Call { body: Bytes::from(text(60_000)), ..call_of(name) });
    let asked = all(&Client::of(&backend), &calls, None).await;
    // Of those behind the second some fit into what the network holds, and some do not.
    let behind = asked.iter().skip(2).take_while(|one| **one == Err("closed")).count();
    assert_eq!(asked[..2], [Ok(Said::Result), Err("closed")]);
    assert!((1..=3).contains(&behind), "{asked:?}");
    let elsewhere: Vec<_> = (3..8 - behind as i16).map(|number| Ok(Said::Declared(number))).collect();
    assert_eq!(asked[2 + behind..], elsewhere);
    let heard = world.servers[0].methods();
    assert_eq!(heard, [&names[..2], &names[2 + behind..]].concat(), "one after another, and nothing twice");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_finds_no_connection_fails_call_by_call() {
    let mut world = World::of(1);
    let backend = world.start();
    world.refuse(world.servers[0].address);
    let asked = run(&Client::of(&backend), &["a", "b"], SECOND).await;
    assert!(asked.iter().all(Result::is_err), "{asked:?}");
    assert_eq!(world.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_leaves_when_its_client_does() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(TENTH));
    let client = Client::of(&backend);
    let _ = tokio::time::timeout(MOMENT, run(&client, &["a", "b", "c"], None)).await;
    drop(client);
    backend.settled().await;
    assert_eq!(backend.endpoints()[0].connections, 0);
}
