//! What changes of a backend while calls are under way: none of them is lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::harness::*;

/// Clients that call without a pause, and what they were answered.
struct Load {
    calls: AtomicUsize,
    over: AtomicBool,
}

const CLIENTS: usize = 6;

impl Load {
    /// Calls until it is over. Any exception, and any connection that ends, fails the test. Says which port answered how often.
    fn run(&self, gateway: &Gateway, client: i64) -> BTreeMap<String, usize> {
        let (mut connection, mut answers) = (gateway.client(), BTreeMap::new());
        for call in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let id = 1_000 + client * 1_000_000 + call;
            let reply = connection.get_user(id);
            assert!(!reply.is_exception(), "{}", reply.exception_text());
            assert_eq!(reply.user_id(), id);
            let email = reply.email();
            *answers.entry(email.rsplit('-').next().unwrap().to_owned()).or_default() += 1;
            assert!(!connection.call(rename_user(id, "x")).is_exception());
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        answers
    }

    /// Waits until every client is answered what it asks from here on.
    fn goes_on(&self) {
        let before = self.calls.load(Ordering::Relaxed);
        eventually(|| self.calls.load(Ordering::Relaxed) > before + 20 * CLIENTS);
    }
}

#[test]
fn a_backend_changes_under_load_and_no_call_is_lost() {
    let mut servers = [(); 3].map(|()| python_backend(Library::Thriftpy2, Wire::unframed()));
    let [one, two, three] = [0, 1, 2].map(|at: usize| servers[at].address());
    let config = |endpoints: &[std::net::SocketAddr], options: &str| {
        let builder = endpoints.iter().fold(gateway(), |builder, address| builder.endpoint(*address));
        builder.backend_speaks(Wire::unframed()).backend(options).text()
    };
    let gateway = Gateway::start(&config(&[one, two], ""));
    let load = Load { calls: AtomicUsize::new(0), over: AtomicBool::new(false) };
    let reload = |endpoints: &[std::net::SocketAddr], options: &str, changed: &[&str]| {
        load.goes_on();
        gateway.configure(&config(endpoints, options));
        let (status, answer) = gateway.command("/reload");
        assert_eq!((status, &answer["needs_restart"]), (200, &serde_json::json!([])));
        let changed: Vec<String> = changed.iter().map(|option| format!("backends.users.{option}")).collect();
        assert_eq!(answer["changes"], serde_json::json!(changed));
        load.goes_on();
    };
    let answers = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS as i64)
            .map(|client| {
                scope.spawn({
                    let (load, gateway) = (&load, &gateway);
                    move || load.run(gateway, client)
                })
            })
            .collect();
        reload(&[two, three], "", &["endpoints"]);
        servers[0].kill();
        reload(&[two, three], "timeout = '20s'\nidle_timeout = '1s'", &["idle_timeout", "timeout"]);
        reload(&[two, three], "max_connections = 1", &["idle_timeout", "max_connections", "timeout"]);
        reload(&[two, three], "max_connections = 16\nretries = 0", &["max_connections", "retries"]);
        reload(&[three], "", &["endpoints", "max_connections", "retries"]);
        servers[1].kill();
        load.goes_on();
        load.over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    for address in [one, two, three] {
        let port = address.port().to_string();
        assert!(answers.iter().any(|answers| answers.contains_key(&port)), "{port} in {answers:?}");
    }
    assert_eq!(gateway.metric("larder_faults_total", &[]), 0);
}
