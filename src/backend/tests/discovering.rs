//! Where endpoints are found: by names, by a file, or in what the last run knew; and those that are gone all at once.

use super::world::*;
use crate::files::Files;
use crate::state::State;

const FILE: &str = "/endpoints.toml";

/// The addresses of the endpoints; of those that are held, with a star.
fn endpoints(backend: &Backend) -> String {
    let host = |one: &EndpointStatus| one.address.network().unwrap().ip();
    let name = |one: &EndpointStatus| format!("{}{}", host(one), if one.held { "*" } else { "" });
    backend.endpoints().iter().map(name).collect::<Vec<_>>().join(" ")
}

fn ip(n: u8) -> std::net::IpAddr {
    [10, 0, 0, n].into()
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Four servers, none of which the backend has heard of.
fn four() -> World {
    let mut world = World::of(4);
    let addresses: Vec<_> = world.settings.endpoints.drain(..).collect();
    world.servers =
        addresses.iter().map(|(ip, port)| world.serve(format!("{ip}:{port}").parse().unwrap())).collect();
    world
}

fn by_file() -> World {
    let mut world = four();
    world.settings.endpoints_file = Some(FILE.into());
    world
}

fn by_name() -> World {
    let mut world = four();
    world.settings.endpoints = vec![("db".to_owned(), 9090)];
    world.settings.resolve_interval = Duration::from_secs(1);
    world
}

fn start(world: &World) -> Arc<Backend> {
    let backend = world.backend();
    tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    backend
}

impl World {
    /// The network, and files of which some are kept for the next run.
    pub(super) fn outside(&self) -> Outside {
        let files: Arc<dyn Files> = Arc::new(self.files.clone());
        let state = Arc::new(State::new(Arc::clone(&files), Some("/state".into())));
        Outside { dial: Arc::new(self.network.clone()), files, state }
    }

    fn lists(&self, numbers: &[u8]) {
        let list: Vec<String> = numbers.iter().map(|n| format!("\"10.0.0.{n}:9090\", # one\n")).collect();
        self.files.put(FILE, format!("endpoints = [{}]", list.concat()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_lists_the_endpoints_and_a_bad_one_keeps_the_last() {
    let mut world = by_file();
    world.settings.slow_start = Duration::ZERO;
    world.lists(&[1, 2]);
    let backend = start(&world);
    backend.answer(&call(), &once(), SECOND).await.unwrap();
    assert_eq!(endpoints(&backend), "10.0.0.1 10.0.0.2");
    world.lists(&[2, 3]);
    pass(2).await;
    assert_eq!((endpoints(&backend).as_str(), backend.undiscovered()), ("10.0.0.2 10.0.0.3", None));
    for (bad, why) in [
        ("endpoints = [\"10.0.0.1:9090\",", "line 1"),
        ("endpoints = []", "lists no endpoints"),
        ("", "lists no endpoints"),
        ("endpoints = [\"10.0.0.1\"]", "a port from 1 to 65535 is missing"),
    ] {
        world.files.put(FILE, bad);
        pass(2).await;
        assert_eq!(endpoints(&backend), "10.0.0.2 10.0.0.3", "{bad}");
        let said = backend.undiscovered().unwrap();
        assert!(said.contains(FILE) && said.contains(why), "{said}");
    }
    world.files.remove(FILE);
    pass(2).await;
    assert_eq!(endpoints(&backend), "10.0.0.2 10.0.0.3");
    world
        .files
        .put(FILE, "endpoints = [\"10.0.0.4:9090\", \"10.0.0.2:9090\"]\nweights = { \"10.0.0.4:9090\" = 9 }");
    pass(2).await;
    assert_eq!((endpoints(&backend).as_str(), backend.undiscovered()), ("10.0.0.4 10.0.0.2", None));
    let (heard, other) = (world.servers[3].calls(), world.servers[1].calls());
    for _ in 0..200 {
        backend.answer(&call(), &once(), SECOND).await.unwrap();
    }
    assert!(
        world.servers[3].calls() - heard > 3 * (world.servers[1].calls() - other),
        "the file gives weights too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_may_list_names_and_a_reload_may_name_another_file() {
    let mut world = by_file();
    world.network.name("db", vec![ip(1), ip(2)]);
    world.files.put(FILE, "endpoints = [\"db:9090\"]");
    let backend = start(&world);
    backend.answer(&call(), &once(), SECOND).await.unwrap();
    assert_eq!(endpoints(&backend), "10.0.0.1 10.0.0.2");
    world.files.put("/other", "endpoints = [\"10.0.0.3:9090\", \"10.0.0.2:9090\"]");
    world.settings.endpoints_file = Some("/other".into());
    backend.reload(world.settings.clone());
    assert_eq!(endpoints(&backend), "10.0.0.1 10.0.0.2", "until it is read");
    tokio::task::yield_now().await;
    assert_eq!(endpoints(&backend), "10.0.0.3 10.0.0.2");
    world.settings.endpoints_file = None;
    world.settings.endpoints = vec![("10.0.0.4".to_owned(), 9090)];
    backend.reload(world.settings.clone());
    assert_eq!(endpoints(&backend), "10.0.0.4");
    pass(3).await;
    assert_eq!(endpoints(&backend), "10.0.0.4", "nobody reads the file any more");
}

#[tokio::test(start_paused = true)]
async fn without_a_file_calls_fail_at_once_and_say_why() {
    let world = by_file();
    let backend = start(&world);
    let fault = backend.answer(&call(), &once(), None).await.unwrap_err();
    assert_eq!(fault.as_str(), "unreachable");
    assert!(fault.to_string().contains(FILE), "{fault}");
    assert!(backend.is_down());
    world.lists(&[1]);
    pass(2).await;
    backend.answer(&call(), &once(), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn those_that_are_gone_with_most_others_are_held_while_they_answer_checks() {
    for by in [by_file, by_name] {
        let world = by();
        let tell = |numbers: &[u8]| {
            world.lists(numbers);
            world.network.name("db", numbers.iter().copied().map(ip).collect());
        };
        tell(&[1, 2, 3, 4]);
        let backend = start(&world);
        backend.answer(&call(), &once(), SECOND).await.unwrap();
        tell(&[2]);
        pass(3).await;
        assert_eq!(endpoints(&backend), "10.0.0.2 10.0.0.1* 10.0.0.3* 10.0.0.4*");
        assert!(world.servers[0].checks() > 1, "they are asked whether they are there");
        world.refuse(world.servers[0].address);
        world.servers[3].now(Act::Hang);
        pass(3).await;
        assert_eq!(endpoints(&backend), "10.0.0.2 10.0.0.3*");
        let held = world.servers[2].calls();
        for _ in 0..40 {
            backend.answer(&call(), &once(), SECOND).await.unwrap();
        }
        assert!(world.servers[2].calls() > held, "what is held takes calls");
        tell(&[2, 3]);
        pass(2).await;
        assert_eq!(endpoints(&backend), "10.0.0.2 10.0.0.3");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_that_goes_with_half_of_the_others_or_that_others_replace() {
    let world = by_file();
    for (from, to, after) in [
        (&[1, 2, 3, 4][..], &[1, 2][..], "10.0.0.1 10.0.0.2"),
        (&[1], &[2], "10.0.0.2"),
        (&[1, 2], &[3, 4], "10.0.0.3 10.0.0.4"),
    ] {
        world.lists(from);
        let backend = start(&world);
        pass(2).await;
        world.lists(to);
        pass(2).await;
        assert_eq!(endpoints(&backend), after);
    }
    // And what is held is let go when there are half as many again.
    world.lists(&[1, 2, 3, 4]);
    let backend = start(&world);
    pass(2).await;
    world.lists(&[1]);
    pass(2).await;
    assert_eq!(endpoints(&backend), "10.0.0.1 10.0.0.2* 10.0.0.3* 10.0.0.4*");
    world.lists(&[1, 2]);
    pass(2).await;
    assert_eq!(endpoints(&backend), "10.0.0.1 10.0.0.2");
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_is_not_held_nor_is_anything_that_no_check_can_tell_of() {
    let mut world = four();
    world.settings.endpoints = (1..=4).map(|n| (format!("10.0.0.{n}"), 9090)).collect();
    let backend = start(&world);
    world.settings.endpoints.truncate(1);
    backend.reload(world.settings.clone());
    assert_eq!(endpoints(&backend), "10.0.0.1");
    let mut world = by_file();
    world.settings.check = finding::Kind::Off;
    world.lists(&[1, 2, 3, 4]);
    let backend = start(&world);
    pass(2).await;
    world.lists(&[1]);
    pass(2).await;
    assert_eq!(endpoints(&backend), "10.0.0.1");
}

#[tokio::test(start_paused = true)]
async fn the_last_runs_endpoints_stand_in_where_nothing_is_known() {
    let world = by_name();
    world.network.name("db", vec![ip(1), ip(2)]);
    let first = start(&world);
    first.answer(&call(), &once(), SECOND).await.unwrap();
    pass(2).await;
    world.network.name("db", vec![]);
    let second = start(&world);
    second.answer(&call(), &once(), SECOND).await.unwrap();
    assert_eq!(endpoints(&second), "10.0.0.1 10.0.0.2");
    pass(1).await;
    assert!(second.undiscovered().is_some());
    world.network.name("db", vec![ip(3)]);
    pass(2).await;
    assert_eq!((endpoints(&second).as_str(), second.undiscovered()), ("10.0.0.3", None));
    world.network.leave_unanswered("db");
    let third = start(&world);
    third.answer(&call(), &once(), SECOND).await.unwrap();
    assert_eq!(endpoints(&third), "10.0.0.3");
}

#[tokio::test(start_paused = true)]
async fn what_a_file_listed_stands_in_for_it_and_broken_state_is_ignored() {
    let world = by_file();
    world.lists(&[1, 2]);
    let first = start(&world);
    pass(2).await;
    assert_eq!(endpoints(&first), "10.0.0.1 10.0.0.2");
    world.files.remove(FILE);
    let second = start(&world);
    second.answer(&call(), &once(), SECOND).await.unwrap();
    assert_eq!(endpoints(&second), "10.0.0.1 10.0.0.2");
    world.files.put("/state/endpoints-users.json", "[{\"name\":");
    let third = start(&world);
    assert_eq!(third.answer(&call(), &once(), SECOND).await.unwrap_err().as_str(), "unreachable");
    world.lists(&[3]);
    pass(2).await;
    assert_eq!(endpoints(&third), "10.0.0.3");
}

#[tokio::test(start_paused = true)]
async fn an_address_of_a_name_where_nothing_ever_answered_is_idle() {
    let world = by_name();
    world.refuse(world.servers[0].address);
    world.network.name("db", vec![ip(1), ip(2)]);
    let backend = start(&world);
    let idle = || backend.endpoints().iter().map(|one| one.idle).collect::<Vec<_>>();
    while !idle().contains(&true) {
        backend.answer(&call(), &once(), SECOND).await.unwrap();
        pass(1).await;
    }
    assert_eq!(idle(), [true, false]);
    world.refuse(world.servers[1].address);
    pass(1).await;
    while backend.endpoints()[1].standing == Standing::Rotating {
        let _fault = backend.answer(&call(), &once(), SECOND).await;
        pass(1).await;
    }
    assert_eq!(idle(), [false, false], "where none answers, all are missed");
    let back = world.serve(world.servers[0].address);
    pass(2).await;
    backend.answer(&call(), &once(), SECOND).await.unwrap();
    assert_eq!(
        (back.calls(), idle()),
        (1, vec![false, false]),
        "what has answered is missed when it is gone"
    );
}
