//! Whether a backend lives, asked when nobody has called it lately.

use super::world::*;

/// A backend that answered once, and whose connections have been idle for too long since.
async fn at_rest(world: &mut World) -> Arc<Backend> {
    let backend = world.watch();
    backend.answer(&call(), &once(), None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(backend.endpoints().iter().all(|one| one.connections == 0));
    backend
}

#[tokio::test(start_paused = true)]
async fn what_died_while_nobody_called_is_found_out_by_who_asks() {
    for act in [Act::Die, Act::Hang, Act::HangUp, Act::Babble(b"HTTP/1.1 400 Bad Request\r\n\r\n")] {
        let mut world = World::of(2);
        let backend = at_rest(&mut world).await;
        for server in &world.servers {
            server.at("larder_check", act);
            if act == Act::Die {
                world.refuse(server.address);
            }
        }
        assert!(!backend.is_down(), "nobody knows");
        let began = Instant::now();
        assert!(!backend.gives_sign_of_life().await, "{act:?}");
        assert!(began.elapsed() <= 2 * world.settings.check_timeout, "{act:?}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn one_endpoint_that_answers_is_enough_and_no_other_is_waited_for() {
    let mut world = World::of(3);
    let backend = at_rest(&mut world).await;
    world.refuse(world.servers[0].address);
    world.servers[1].at("larder_check", Act::Hang);
    let began = Instant::now();
    assert!(backend.gives_sign_of_life().await);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(world.servers[2].calls() + world.servers[1].calls() + world.servers[0].calls(), 1);
}

/// What is found so is known to all from then on.
#[tokio::test(start_paused = true)]
async fn what_shows_no_life_is_soon_known_to_be_down() {
    let mut world = World::of(1);
    let backend = at_rest(&mut world).await;
    world.refuse(world.servers[0].address);
    assert!(!backend.gives_sign_of_life().await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(backend.is_down());
    assert!(!backend.gives_sign_of_life().await);
}

/// A check tells nothing where all connections are taken, or where a server closes on checks: then what calls say counts.
#[tokio::test(start_paused = true)]
async fn where_no_check_can_tell_what_calls_heard_counts() {
    let mut world = World::of(1);
    world.settings.max_connections = 1;
    let backend = at_rest(&mut world).await;
    world.all(Act::AnswerAfter(Duration::from_millis(900)));
    let asking = Arc::clone(&backend);
    let busy = tokio::spawn(async move {
        for _ in 0..4 {
            asking.answer(&call(), &once(), None).await.unwrap();
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(backend.gives_sign_of_life().await);
    busy.await.unwrap();

    let mut world = World::of(1);
    let backend = world.watch();
    world.servers[0].at("larder_check", Act::HangUp);
    for name in ["get", "get"] {
        backend.answer(&call_of(name), &once(), None).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(backend.endpoints()[0].habits.closes_on_checks);
    assert!(backend.gives_sign_of_life().await);
}
