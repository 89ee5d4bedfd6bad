//! A call that real servers die of.

use crate::harness::*;

/// Three thriftpy2 servers behind a gateway that keeps users for 50 ms, and in an outage for a minute.
struct Scene {
    servers: Vec<PythonBackend>,
    gateway: Gateway,
}

impl Scene {
    fn new() -> Self {
        let servers = vec![(); 3].into_iter().map(|()| python_backend(Library::Thriftpy2, Wire::unframed()));
        let servers: Vec<_> = servers.collect();
        let builder =
            gateway().backend_speaks(Wire::unframed()).get_user("ttl = '50ms'\nstale_if_error = '60s'");
        let builder = servers.iter().fold(builder, |builder, server| builder.endpoint(server.address()));
        Self { gateway: builder.start(), servers }
    }

    /// Has every server that runs die of being asked for this user.
    fn makes_deadly(&self, id: i64) {
        for server in &self.servers {
            Client::connect(server.address(), Wire::unframed()).call(rename_user(id, "deadly"));
        }
    }

    fn ended(&mut self) -> usize {
        self.servers.iter_mut().map(PythonBackend::has_ended).filter(|ended| *ended).count()
    }

    /// How many have ended once so many have: a process is there for a moment after its connections.
    fn have_ended(&mut self, least: usize) -> usize {
        eventually(|| self.ended() >= least);
        self.ended()
    }

    /// Starts those anew that have ended, and waits until all are used.
    fn revives(&mut self) {
        for server in &mut self.servers {
            if server.has_ended() {
                server.revive();
            }
        }
        eventually(|| self.gateway.metric("larder_endpoint_state", &[("state", "rotating")]) == 3);
    }
}

#[test]
fn what_two_servers_die_of_is_sent_to_no_third_and_others_are_answered() {
    let mut scene = Scene::new();
    scene.makes_deadly(66);
    let mut client = scene.gateway.client();
    assert!(client.get_user(66).is_exception());
    assert_eq!(client.get_user(1).user_id(), 1, "one is left");
    scene.gateway.logs(&["endpoints die of a call", "UserService.getUser"]);
    assert_eq!(scene.have_ended(2), 2);
    scene.revives();
    scene.makes_deadly(66);
    for id in 100..120 {
        let text = client.get_user(66).exception_text();
        assert!(text.contains("users") && text.contains("is not asked this"), "{text}");
        assert_eq!(client.get_user(id).user_id(), id);
    }
    assert_eq!((scene.gateway.faults("quarantined"), scene.ended()), (20, 0));
    assert_eq!(scene.gateway.metric("larder_backend_quarantined", &[("backend", "users")]), 1);
    assert_eq!(scene.gateway.metric("larder_backend_quarantines_total", &[("backend", "users")]), 1);
}

#[test]
fn what_is_known_of_it_answers_meanwhile() {
    let mut scene = Scene::new();
    let mut client = scene.gateway.client();
    let known = client.get_user(66).email();
    scene.makes_deadly(66);
    pass(ms(60));
    assert_eq!(client.get_user(66).email(), known);
    scene.gateway.logs(&["endpoints die of a call"]);
    assert_eq!(scene.have_ended(2), 2);
    scene.revives();
    scene.makes_deadly(66);
    for _ in 0..20 {
        assert_eq!(client.get_user(66).email(), known);
    }
    assert_eq!((scene.gateway.outcomes("stale_if_error"), scene.ended()), (21, 0));
    assert!(scene.gateway.faults("quarantined") > 0);
}
