//! Clients that have a backend connection each.

use super::world::*;

fn world(endpoints: usize) -> World {
    let mut world = World::of(endpoints);
    world.settings.connections = Sharing::PerClient;
    world
}

#[tokio::test(start_paused = true)]
async fn a_private_connection_is_one_and_its_end_is_final() {
    let mut world = world(2);
    let backend = world.start();
    let client = Client::of(&backend);
    world.all(Act::Handle(Duration::ZERO));
    for _ in 0..5 {
        client.ask(&idempotent(), SECOND).await.unwrap();
    }
    client.tell("touch").await.unwrap();
    client.ask(&once(), SECOND).await.unwrap();
    assert_eq!(world.opened(), 1);
    world.all(Act::HangUp);
    assert_eq!(client.ask(&idempotent(), SECOND).await.unwrap_err().as_str(), "closed");
    assert!(client.session.is_lost());
    world.all(Act::Answer);
    assert_eq!(client.ask(&idempotent(), SECOND).await.unwrap_err().as_str(), "closed");
    assert_eq!((world.calls(), world.opened()), (8, 1));
}

#[tokio::test(start_paused = true)]
async fn a_private_connection_opens_where_one_can_be_opened() {
    let mut world = world(2);
    let backend = world.start();
    world.refuse(world.servers[0].address);
    for _ in 0..4 {
        Client::of(&backend).ask(&once(), None).await.unwrap();
    }
    assert_eq!(world.servers[1].opened(), 4);
}

/// However late an answer to a oneway comes, its number says that it is no answer to the call behind it.
#[tokio::test(start_paused = true)]
async fn an_answered_oneway_answers_no_later_call() {
    let mut world = world(1);
    let backend = world.start();
    let client = Client::of(&backend);
    for act in [Act::AnswerCount, Act::AnswerAfter(Duration::from_millis(100))] {
        world.all(act);
        for _ in 0..10 {
            client.tell("getUser").await.unwrap();
        }
        world.all(Act::AnswerCount);
        let answer = client.ask(&once(), None).await.unwrap();
        assert_eq!(answer.said, Said::Declared(world.calls().try_into().unwrap()));
    }
    assert_eq!((world.opened(), world.calls()), (1, 22));
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_no_call_is_out_ends_it() {
    let mut world = world(1);
    let backend = world.start();
    let client = Client::of(&backend);
    world.all(Act::AnswerTwice);
    client.ask(&once(), None).await.unwrap();
    assert_eq!(client.ask(&once(), None).await.unwrap_err().as_str(), "closed");
    assert_eq!(world.counted(r#"larder_backend_unsolicited_total{backend="users"}"#), 1);
    assert_eq!(backend.endpoints()[0].connections, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_takes_nothing_back_that_was_sent() {
    let mut world = world(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(Duration::from_secs(1)));
    let client = Client::of(&backend);
    for _ in 0..5 {
        client.tell("touch").await.unwrap();
    }
    drop(client);
    backend.settled().await;
    assert_eq!((world.servers[0].handled(), world.servers[0].ended()), (5, 1));
}

/// A client whose calls come to need a connection of its own has its oneways handled before the first of them.
#[tokio::test(start_paused = true)]
async fn a_connection_that_becomes_private_comes_behind_what_was_sent_without_waiting() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Handle(Duration::from_millis(500)));
    let mut client = Client::of(&backend);
    client.tell("first").await.unwrap();
    client.tell("second").await.unwrap();
    client.session = Arc::new(client.session.own());
    assert!(client.session.is_private());
    client.ask(&once(), None).await.unwrap();
    client.ask(&idempotent(), None).await.unwrap();
    assert_eq!(world.servers[0].methods(), ["first", "second", "getUser", "getUser"]);
    assert_eq!(world.servers[0].heard(), [1, 1, 2, 2]);
    assert_eq!(world.servers[0].handled(), 4);
}
