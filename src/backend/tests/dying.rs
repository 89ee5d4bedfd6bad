//! Calls that endpoints die of: to how many they are sent, for how long they are sent nowhere, and that others notice nothing.

use super::super::Steer;
use super::world::*;

/// A backend whose servers do this with calls of `deadly`.
fn deadly(count: usize, act: Act) -> (World, Arc<Backend>) {
    let mut world = World::of(count);
    let backend = world.watch();
    world.servers.iter().for_each(|server| server.at("deadly", act));
    (world, backend)
}

impl World {
    /// How often a server was asked what is deadly.
    fn victims(&self) -> usize {
        self.servers.iter().flat_map(Server::methods).filter(|method| method == "deadly").count()
    }

    /// Starts anew whatever has ended, to do this with the calls of `deadly`.
    fn revive(&mut self, act: Act) {
        let ended: Vec<SocketAddr> =
            self.servers.iter().filter(|server| server.has_ended()).map(|server| server.address).collect();
        for address in ended {
            let server = self.serve(address);
            server.at("deadly", act);
            self.servers.push(server);
        }
    }
}

async fn kill(backend: &Backend) -> Result<Answer, &'static str> {
    backend.answer_keyed(&call_of("deadly"), b"deadly").await.map_err(|fault| fault.as_str())
}

async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

#[tokio::test(start_paused = true)]
async fn what_two_endpoints_die_of_goes_to_no_third_and_others_are_answered() {
    let (mut world, backend) = deadly(5, Act::Die);
    assert_eq!(kill(&backend).await.unwrap_err(), "closed");
    for second in 0..9 {
        assert_eq!(kill(&backend).await.unwrap_err(), "quarantined", "{second}");
        assert!(backend.answer_keyed(&call(), b"other").await.is_ok());
        assert!(backend.answer(&call_of("deadlier"), &once(), None).await.is_ok());
        pass(1_000).await;
        world.revive(Act::Die);
    }
    assert_eq!(world.victims(), 2);
    // They are out for as long as they refuse, and for nothing else.
    assert!(backend.endpoints().iter().all(|endpoint| endpoint.standing == Standing::Rotating));
    let refused = r#"larder_backend_ejections_total{backend="users",reason="refused"}"#;
    assert_eq!(world.counted(refused), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_quarantine_one_call_finds_out_and_each_further_death_doubles_it() {
    let (mut world, backend) = deadly(5, Act::Die);
    assert_eq!(kill(&backend).await.unwrap_err(), "closed");
    for (quarantine, victims) in [(10_000, 3), (20_000, 4), (40_000, 5)] {
        pass(100).await;
        world.revive(Act::Die);
        pass(quarantine - 600).await;
        assert_eq!(kill(&backend).await.unwrap_err(), "quarantined");
        pass(1_000).await;
        assert_eq!(kill(&backend).await.unwrap_err(), "closed");
        assert_eq!(world.victims(), victims);
    }
    world.servers.iter().for_each(|server| server.at("deadly", Act::Answer));
    world.revive(Act::Answer);
    pass(80_500).await;
    for _ in 0..10 {
        assert!(kill(&backend).await.is_ok());
    }
}

/// thriftpy2 ends the connection for an exception that the service does not declare.
#[tokio::test(start_paused = true)]
async fn what_endpoints_only_close_on_is_sent_again_as_soon_as_they_show_that_they_live() {
    let (world, backend) = deadly(3, Act::HangUp);
    for round in 1..=5 {
        assert_eq!(kill(&backend).await.unwrap_err(), "closed", "{round}");
        assert_eq!(world.victims(), 2 * round);
        pass(700).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_only_endpoint_is_not_killed_a_third_time() {
    let (mut world, backend) = deadly(1, Act::Die);
    for _ in 0..2 {
        assert_eq!(kill(&backend).await.unwrap_err(), "closed");
        pass(100).await;
        world.revive(Act::Die);
        pass(2_000).await;
    }
    assert_eq!(kill(&backend).await.unwrap_err(), "quarantined");
    assert!(backend.answer_keyed(&call(), b"other").await.is_ok());
    assert_eq!(world.victims(), 2);
}

/// Nobody knows whether two calls without a key are the same. Each goes to two endpoints at most.
#[tokio::test(start_paused = true)]
async fn calls_without_a_key_are_not_remembered() {
    let (world, backend) = deadly(5, Act::Die);
    for victims in [2, 3] {
        // With three of five gone there is no retry.
        let fault = backend.answer(&call_of("deadly"), &idempotent(), None).await.unwrap_err();
        assert_eq!(fault.as_str(), "closed");
        assert!(world.victims() >= victims);
        pass(1_000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn by_an_operators_word_it_is_sent_all_the_same() {
    let (mut world, backend) = deadly(5, Act::Die);
    assert_eq!(kill(&backend).await.unwrap_err(), "closed");
    assert_eq!(kill(&backend).await.unwrap_err(), "quarantined");
    let settings = world.settings.clone();
    let steer = Steer { tries_deadly: true, ..Steer::default() };
    backend.reload(Settings { steer, ..settings.clone() });
    world.revive(Act::Answer);
    pass(1_000).await;
    for server in &world.servers {
        server.at("deadly", Act::Answer);
    }
    assert!(kill(&backend).await.is_ok(), "who has mended them need not wait");
    backend.reload(settings);
    assert!(kill(&backend).await.is_ok());
}
