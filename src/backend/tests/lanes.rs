//! The order of one client's effects, and that nobody else waits for them.

use super::world::*;
use bytes::Bytes;

const MOMENT: Duration = Duration::from_millis(1);
const SLOW: Act = Act::Handle(Duration::from_secs(3));
const QUICK: Act = Act::Handle(Duration::ZERO);

#[tokio::test(start_paused = true)]
async fn the_oneways_of_one_client_take_one_connection_and_keep_their_order() {
    let mut world = World::of(1);
    let backend = world.start();
    let client = Client::of(&backend);
    world.all(Act::Handle(MOMENT));
    let names: Vec<String> = (0..1500).map(|number| format!("touch{number}")).collect();
    let began = Instant::now();
    for name in &names {
        client.tell(name).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "no call waits for the handler of the one before");
    drop(client);
    backend.settled().await;
    assert_eq!(world.servers[0].methods(), names);
    assert_eq!(world.opened(), 1);
    assert_eq!(world.counted(r#"larder_backend_attempts_total{backend="users",result="sent"}"#), 1500);
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_of_one_clients_oneway_holds_nobody_up() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(SLOW);
    let client = Client::of(&backend);
    client.tell("slow").await.unwrap();
    client.tell("slow").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.all(QUICK);
    for _ in 0..3 {
        Client::of(&backend).ask(&once(), None).await.unwrap();
        // A call of the same client that is known to change nothing does not wait either.
        client.ask(&idempotent(), None).await.unwrap();
    }
    assert_eq!((world.servers[0].handled(), world.calls()), (6, 7), "neither of the slow ones has ended");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_not_be_repeated_goes_behind_its_clients_oneways() {
    let mut world = World::of(1);
    let backend = world.start();
    let client = Client::of(&backend);
    world.all(Act::Handle(Duration::from_millis(100)));
    for name in ["a", "b", "c"] {
        client.tell(name).await.unwrap();
    }
    client.ask(&once(), None).await.unwrap();
    assert_eq!(world.servers[0].methods(), ["a", "b", "c", "getUser"]);
    assert_eq!(world.servers[0].heard(), [1, 1, 1, 1]);
    assert_eq!(world.servers[0].handled(), 4);
    // The reply says that all is handled: the connection is anybody's.
    Client::of(&backend).ask(&once(), None).await.unwrap();
    client.tell("d").await.unwrap();
    client.ask(&once(), None).await.unwrap();
    assert_eq!(world.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_oneway_is_nobodys() {
    for terms in [once(), idempotent()] {
        let mut world = World::of(1);
        let backend = world.start();
        world.all(Act::AnswerCount);
        let client = Client::of(&backend);
        for _ in 0..5 {
            for _ in 0..20 {
                client.tell("getUser").await.unwrap();
            }
            let answer = client.ask(&terms, None).await.unwrap();
            assert!(matches!(answer.said, Said::Declared(_)));
            assert_eq!(client.ask(&terms, None).await.unwrap().said, Said::Declared(counted(&world)));
        }
        assert_eq!(world.counted(r#"larder_backend_unsolicited_total{backend="users"}"#), 0);
    }
}

fn counted(world: &World) -> i16 {
    world.calls().try_into().unwrap()
}

#[tokio::test(start_paused = true)]
async fn answers_to_oneways_are_read_while_more_are_written() {
    let mut world = World::of(1);
    let backend = world.start();
    // Neither side could go on if the gateway only wrote: each direction holds 64 KiB.
    world.all(Act::AnswerLarge(50_000));
    let client = Client::of(&backend);
    let call = Call { body: Bytes::from(text(50_000)), ..oneway("getUser") };
    for _ in 0..20 {
        client.tell_within(&call, SECOND).await.unwrap();
    }
    assert!(client.ask(&once(), SECOND).await.is_ok());
    assert_eq!((world.opened(), world.servers[0].handled()), (1, 21));
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_has_rested_ends_and_its_peer_reads_all() {
    for act in [QUICK, Act::Answer, SLOW, Act::AnswerAfter(Duration::from_secs(3))] {
        let mut world = World::of(1);
        let backend = world.start();
        world.all(act);
        let client = Client::of(&backend);
        for _ in 0..5 {
            client.tell("touch").await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(2400)).await;
        assert_eq!(backend.endpoints()[0].connections, 1, "{act:?}");
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(backend.endpoints()[0].connections, 0, "{act:?}");
        backend.settled().await;
        assert_eq!((world.servers[0].handled(), world.servers[0].ended()), (5, 1), "{act:?}");
        client.tell("touch").await.unwrap();
        assert_eq!(world.opened(), 2, "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_lane_that_ends_waits_until_all_on_it_is_handled() {
    for behind in ["oneway", "call"] {
        let mut world = World::of(2);
        let backend = world.start();
        world.all(SLOW);
        let client = Client::of(&backend);
        client.tell("first").await.unwrap();
        client.tell("second").await.unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        match behind {
            "oneway" => client.tell("third").await.unwrap(),
            _ => drop(client.ask(&once(), None).await.unwrap()),
        }
        let handled: usize = world.servers.iter().map(Server::handled).sum();
        assert!(handled >= 2, "{behind}");
        assert_eq!(world.opened(), 2, "{behind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_lanes_end_no_longer_than_it_may() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(SLOW);
    let client = Client::of(&backend);
    client.tell("first").await.unwrap();
    client.tell("second").await.unwrap();
    tokio::time::sleep(Duration::from_millis(2600)).await;
    assert_eq!(client.ask(&once(), SECOND).await.unwrap_err().as_str(), "timeout");
    assert_eq!((world.calls(), backend.endpoints()[0].standing), (2, Standing::Rotating), "it was not sent");
    // The fault ends the order.
    world.all(QUICK);
    client.ask(&once(), SECOND).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn half_of_the_connections_are_left_to_calls_that_are_answered() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Handle(Duration::from_secs(60)));
    let clients: Vec<_> = (0..4).map(|_| Client::of(&backend)).collect();
    let telling = clients.iter().map(|client| {
        let client = client.clone();
        tokio::spawn(async move { client.tell("slow").await })
    });
    let telling: Vec<_> = telling.collect();
    tokio::time::sleep(MOMENT).await;
    world.all(QUICK);
    let began = Instant::now();
    let (one, other) = (Client::of(&backend), Client::of(&backend));
    let terms = once();
    let (one, other) = tokio::join!(one.ask(&terms, None), other.ask(&terms, None));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(began.elapsed(), Duration::ZERO);
    for told in telling {
        told.await.unwrap().unwrap();
    }
    assert!(backend.endpoints()[0].connections <= 4);
}

#[tokio::test(start_paused = true)]
async fn the_lane_that_has_rested_longest_makes_room() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(QUICK);
    let [first, second, third] = [0; 3].map(|_| Client::of(&backend));
    for client in [&first, &second, &first, &third] {
        client.tell("touch").await.unwrap();
        tokio::time::sleep(MOMENT).await;
    }
    // The second client's lane went, for the first one's had less of a rest.
    first.tell("touch").await.unwrap();
    tokio::time::sleep(MOMENT).await;
    assert_eq!(world.servers[0].heard(), [1, 2, 1, 3, 1]);
    assert_eq!(world.servers[0].ended(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_one_connection_a_resting_lane_makes_room_for_a_call() {
    let mut world = World::of(1);
    world.settings.max_connections = 1;
    let backend = world.start();
    world.all(QUICK);
    let client = Client::of(&backend);
    let began = Instant::now();
    for _ in 0..5 {
        client.tell("touch").await.unwrap();
        Client::of(&backend).ask(&once(), SECOND).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(world.servers[0].handled(), 10);
}

#[tokio::test(start_paused = true)]
async fn with_one_connection_a_slow_handler_holds_others_up_for_a_second_at_most() {
    let mut world = World::of(1);
    world.settings.max_connections = 1;
    let backend = world.start();
    world.all(Act::Handle(Duration::from_secs(30)));
    let client = Client::of(&backend);
    client.tell("slow").await.unwrap();
    tokio::time::sleep(MOMENT).await;
    world.all(QUICK);
    let limit = Some(Duration::from_millis(1100));
    Client::of(&backend).ask(&once(), limit).await.unwrap();
    assert_eq!(world.servers[0].handled(), 1, "the slow one goes on");
    assert_eq!(backend.endpoints()[0].connections, 1, "what lingers is not counted");
    drop(client);
    backend.settled().await;
    assert_eq!(world.servers[0].handled(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_down_a_lane_that_breaks_is_never_sent_again() {
    let mut world = World::of(1);
    let backend = world.start();
    let client = Client::of(&backend);
    world.all(Act::HangUp);
    client.tell("lost").await.unwrap();
    tokio::time::sleep(MOMENT).await;
    world.all(QUICK);
    client.tell("kept").await.unwrap();
    client.tell("kept").await.unwrap();
    client.ask(&once(), None).await.unwrap();
    assert_eq!(world.servers[0].methods(), ["lost", "kept", "kept", "getUser"]);
    assert_eq!(world.servers[0].heard(), [1, 2, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_takes_nothing_back_that_was_sent() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(Duration::from_secs(1)));
    let client = Client::of(&backend);
    for _ in 0..10 {
        client.tell("touch").await.unwrap();
    }
    drop(client);
    backend.settled().await;
    assert_eq!((world.servers[0].handled(), world.servers[0].ended()), (10, 1));
}

/// A server that reads no further because of one client's oneways is that client's own doing.
#[tokio::test(start_paused = true)]
async fn a_oneway_that_cannot_be_written_in_time_is_taken_back_and_blames_nobody() {
    let mut world = World::of(1);
    world.settings.ejection_failures = 1;
    let backend = world.start();
    world.all(Act::Handle(Duration::from_secs(5)));
    let client = Client::of(&backend);
    let large = |name| Call { body: Bytes::from(text(40_000)), ..oneway(name) };
    client.tell_within(&large("first"), SECOND).await.unwrap();
    tokio::time::sleep(MOMENT).await;
    // Fits what the socket holds, or does not begin to.
    let mut sent = vec!["first"];
    for name in ["second", "third"] {
        if client
            .tell_within(&Call { body: Bytes::from(text(65_512 - name.len())), ..oneway(name) }, SECOND)
            .await
            .is_ok()
        {
            sent.push(name);
        }
    }
    assert_eq!(sent, ["first", "second"]);
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
    world.all(QUICK);
    client.ask(&once(), None).await.unwrap();
    assert_eq!(world.servers[0].methods(), ["first", "second", "getUser"]);
    assert_eq!(world.opened(), 1);
}

/// Of a call that has left in part its server reads no more; what went before it is handled before what comes after.
#[tokio::test(start_paused = true)]
async fn a_oneway_that_left_in_part_ends_its_lane_behind_what_it_carried() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Handle(Duration::from_secs(2)));
    let client = Client::of(&backend);
    client.tell("first").await.unwrap();
    client.tell("second").await.unwrap();
    let large = Call { body: Bytes::from(text(200_000)), ..oneway("large") };
    assert_eq!(client.tell_within(&large, SECOND).await.unwrap_err().as_str(), "timeout");
    client.tell("third").await.unwrap();
    assert_eq!(world.servers[0].handled(), 2);
    client.ask(&once(), None).await.unwrap();
    assert_eq!(world.servers[0].methods(), ["first", "second", "third", "getUser"]);
    assert_eq!(world.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_out_of_rotation_ends_the_order_of_what_was_sent_there() {
    let mut world = World::of(2);
    let backend = world.start();
    world.all(Act::Hang);
    let client = Client::of(&backend);
    client.tell("first").await.unwrap();
    tokio::time::sleep(MOMENT).await;
    let gone = usize::from(world.servers[1].calls() > 0);
    world.servers[1 - gone].now(QUICK);
    world.refuse(world.servers[gone].address);
    while backend.endpoints()[gone].standing == Standing::Rotating {
        let _fault_or_answer = backend.answer(&call(), &once(), Some(Duration::from_millis(100))).await;
    }
    let began = Instant::now();
    client.ask(&once(), SECOND).await.unwrap();
    client.tell("second").await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(world.servers[gone].methods().iter().all(|name| name != "second"));
}

#[tokio::test(start_paused = true)]
async fn a_lane_takes_a_bounded_number_of_calls_that_may_be_unhandled() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Handle(MOMENT));
    let client = Client::of(&backend);
    let names: Vec<String> = (0..5000).map(|number| format!("touch{number}")).collect();
    for name in &names {
        client.tell(name).await.unwrap();
    }
    assert!(world.servers[0].handled() >= 4096, "who is far behind is waited for");
    drop(client);
    backend.settled().await;
    assert_eq!(world.servers[0].methods(), names);
    assert_eq!(world.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_no_connection_is_kept_oneways_that_follow_one_another_share_one() {
    let mut world = World::of(1);
    world.settings.idle_timeout = Duration::ZERO;
    let backend = world.start();
    world.all(QUICK);
    let client = Client::of(&backend);
    for _ in 0..100 {
        client.tell("touch").await.unwrap();
    }
    client.ask(&once(), None).await.unwrap();
    assert_eq!((world.opened(), backend.endpoints()[0].connections), (1, 0));
}
