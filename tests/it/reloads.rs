//! What changes of a backend while calls are under way, by reloads and by files: none of them is lost.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::harness::*;

/// Clients that call without a pause, and what they were answered.
#[derive(Default)]
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

    /// Goes on with clients until `change` is over, and says which port answered how often.
    fn during(&self, gateway: &Gateway, change: impl FnOnce()) -> BTreeMap<String, usize> {
        thread::scope(|scope| {
            let run = |client| move || self.run(gateway, client);
            let clients: Vec<_> = (0..CLIENTS as i64).map(|client| scope.spawn(run(client))).collect();
            let over = Over(&self.over);
            self.goes_on();
            change();
            self.goes_on();
            drop(over);
            let mut all = BTreeMap::new();
            for (port, count) in clients.into_iter().flat_map(|client| client.join().unwrap()) {
                *all.entry(port).or_default() += count;
            }
            all
        })
    }

    /// Waits until every client is answered what it asks from here on.
    fn goes_on(&self) {
        let before = self.calls.load(Ordering::Relaxed);
        eventually(|| self.calls.load(Ordering::Relaxed) > before + 20 * CLIENTS);
    }
}

/// Ends the clients when it is dropped, by a failed assertion too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_backend_changes_under_load_and_no_call_is_lost() {
    let mut servers = [(); 3].map(|()| python_backend(Library::Thriftpy2, Wire::unframed()));
    let [one, two, three] = [0, 1, 2].map(|at: usize| servers[at].address());
    let config = |endpoints: &[SocketAddr], options: &str| {
        let builder = endpoints.iter().fold(gateway(), |builder, address| builder.endpoint(*address));
        builder.backend_speaks(Wire::unframed()).backend(options).text()
    };
    let gateway = Gateway::start(&config(&[one, two], ""));
    let load = Load::default();
    let reload = |endpoints: &[SocketAddr], options: &str, changed: &[&str]| {
        load.goes_on();
        gateway.configure(&config(endpoints, options));
        let (status, answer) = gateway.command("/v1/reload");
        assert_eq!((status, &answer["needs_restart"]), (200, &serde_json::json!([])));
        let changed: Vec<String> = changed.iter().map(|option| format!("backends.users.{option}")).collect();
        assert_eq!(answer["changes"], serde_json::json!(changed));
        load.goes_on();
    };
    let answers = load.during(&gateway, || {
        reload(&[two, three], "", &["endpoints"]);
        servers[0].kill();
        reload(&[two, three], "timeout = '20s'\nidle_timeout = '1s'", &["idle_timeout", "timeout"]);
        reload(&[two, three], "max_connections = 1", &["idle_timeout", "max_connections", "timeout"]);
        reload(&[two, three], "max_connections = 16\nretries = 0", &["max_connections", "retries"]);
        reload(&[three], "", &["endpoints", "max_connections", "retries"]);
        servers[1].kill();
    });
    for address in [one, two, three] {
        assert!(answers.contains_key(&address.port().to_string()), "{address} in {answers:?}");
    }
    assert_eq!(gateway.metric("larder_faults_total", &[]), 0);
}

#[test]
fn backends_come_and_go_under_load_and_no_call_is_lost() {
    let mut servers = [(); 3].map(|()| python_backend(Library::Thriftpy2, Wire::unframed()));
    let [one, two, three] = [0, 1, 2].map(|at: usize| servers[at].address());
    // One listener, which names this backend, and all backends.
    let config = |named: &str, backends: &[(&str, SocketAddr)], rules: &str| {
        let text = gateway().text().replace("backend = 'users'", &format!("backend = '{named}'"));
        let (head, _) = text.split_once("[backends.users]").unwrap();
        let section = |(name, address): &(&str, SocketAddr)| {
            format!("[backends.{name}]\nendpoints = ['{address}']\ntransport = 'unframed'\n")
        };
        format!("{head}{}{rules}", backends.iter().map(section).collect::<String>())
    };
    let gateway = Gateway::start(&config("first", &[("first", one)], ""));
    let load = Load::default();
    let reload = |text: &str, changes: &[&str]| {
        load.goes_on();
        gateway.configure(text);
        let (status, answer) = gateway.command("/v1/reload");
        assert_eq!((status, &answer["needs_restart"]), (200, &serde_json::json!([])));
        assert_eq!(answer["changes"], serde_json::json!(changes));
        load.goes_on();
    };
    let rule = "[rules.'UserService.getUser']\nbackend = 'second'\n";
    let answers = load.during(&gateway, || {
        reload(&config("first", &[("first", one), ("second", two)], ""), &["backends.second"]);
        reload(
            &config("first", &[("first", one), ("second", two)], rule),
            &["rules.\"UserService.getUser\""],
        );
        reload(
            &config("third", &[("second", two), ("third", three)], rule),
            &["backends.first", "backends.third", "listeners.users.backend"],
        );
        servers[0].kill();
        reload(
            &config("third", &[("third", three)], ""),
            &["backends.second", "rules.\"UserService.getUser\""],
        );
        servers[1].kill();
    });
    for address in [one, two, three] {
        assert!(answers.contains_key(&address.port().to_string()), "{address} in {answers:?}");
    }
    assert_eq!(gateway.metric("larder_faults_total", &[]), 0);
}

/// Replaces a file of endpoints as a whole.
fn list(file: &Path, endpoints: &[SocketAddr]) {
    let new = file.with_extension("new");
    let endpoints: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
    std::fs::write(&new, format!("# as of now\nendpoints = {endpoints:?}\n")).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// A gateway's configuration whose endpoints stand in a file.
fn listed_in(file: &Path, builder: Builder) -> String {
    let option = format!("endpoints_file = '{}'", file.display());
    builder.backend_speaks(Wire::unframed()).backend(&option).text().replace("endpoints = []\n", "")
}

fn endpoints(gateway: &Gateway) -> usize {
    let (_, status) = gateway.page("/v1/status").unwrap();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["backends"][0]["endpoints"].as_array().unwrap().len()
}

#[test]
fn a_file_of_endpoints_is_replaced_under_load_and_no_call_is_lost() {
    let mut servers = [(); 2].map(|()| python_backend(Library::Thriftpy2, Wire::unframed()));
    let [one, two] = [0, 1].map(|at: usize| servers[at].address());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.toml");
    list(&file, &[one]);
    let gateway = Gateway::start(&listed_in(&file, gateway()));
    let load = Load::default();
    let answers = load.during(&gateway, || {
        list(&file, &[one, two]);
        eventually(|| endpoints(&gateway) == 2);
        load.goes_on();
        list(&file, &[two]);
        eventually(|| endpoints(&gateway) == 1);
        load.goes_on();
        servers[0].kill();
        std::fs::write(&file, "endpoints = [").unwrap();
        gateway.logs(&["endpoints cannot be read, the last ones stay", "line 1"]);
        assert_eq!(gateway.metric("larder_backend_undiscovered", &[]), 1);
        load.goes_on();
        list(&file, &[two]);
        eventually(|| gateway.metric("larder_backend_undiscovered", &[]) == 0);
    });
    for address in [one, two] {
        assert!(answers.contains_key(&address.port().to_string()), "{address} in {answers:?}");
    }
    assert_eq!(gateway.metric("larder_faults_total", &[]), 0);
}

#[test]
fn a_start_without_its_file_knows_what_the_last_run_knew() {
    let server = python_backend(Library::Thriftpy2, Wire::unframed());
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("users.toml"), folder.path().join("state"));
    list(&file, &[server.address()]);
    let keeping = gateway().section("runtime", &format!("state_dir = '{}'", state.display()));
    let text = listed_in(&file, keeping);
    let mut first = Gateway::start(&text);
    assert_eq!(first.client().get_user(7).user_id(), 7);
    let kept = state.join("endpoints-users.json");
    eventually(|| kept.exists());
    first.kill();
    std::fs::remove_file(&file).unwrap();
    let mut second = Gateway::start(&text);
    assert_eq!(second.client().get_user(7).user_id(), 7);
    second.logs(&["endpoints of the last run stand in"]);
    second.kill();
    std::fs::write(&kept, "[{").unwrap();
    let third = Gateway::start(&text);
    assert!(third.client().get_user(7).is_exception());
    third.logs(&["state is broken, and is ignored", "endpoints-users.json"]);
}
