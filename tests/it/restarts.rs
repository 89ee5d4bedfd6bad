//! Restarts under load: no call is lost, none is made twice, and none gets another's reply.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use larder::config::Config;
use larder::server::{self, Surroundings};

use crate::harness::*;

const CLIENTS: usize = 6;
/// Users that everybody asks for; those beyond are asked for once.
const SHARED: i64 = 20;

/// How often the gateway is restarted: `LARDER_RESTARTS`, or 10 times.
fn restarts() -> usize {
    std::env::var("LARDER_RESTARTS").map_or(10, |count| count.parse().expect("LARDER_RESTARTS is a number"))
}

fn caching(backend: &Backend) -> Builder {
    gateway().endpoint(backend.address()).get_user("ttl = '60s'")
}

/// A client that connects again, and asks again, when its connection ends in place of a reply.
struct Caller {
    address: SocketAddr,
    connection: Client,
    /// Connections that ended.
    ended: usize,
}

impl Caller {
    fn new(address: SocketAddr) -> Self {
        Self { address, connection: Client::connect(address, Wire::framed()), ended: 0 }
    }

    fn ask(&mut self, call: Message) -> Message {
        let name = call.name.clone();
        loop {
            if let Some((seqid, reply)) = self.try_ask(call.clone()) {
                assert_eq!((reply.seqid, &reply.name), (seqid, &name), "the reply is to another call");
                assert!(!reply.is_exception(), "{}", reply.exception_text());
                return reply;
            }
            self.ended += 1;
            self.connection = Client::connect(self.address, Wire::framed());
        }
    }

    /// Nothing where the connection ends before a byte of the reply: what ends later fails the test.
    fn try_ask(&mut self, call: Message) -> Option<(i32, Message)> {
        let seqid = i32::try_from(self.ended).unwrap() + 1;
        let sent = self.connection.try_send_as(seqid, call);
        let ends = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
        };
        match sent.and_then(|()| self.connection.stream().peek(&mut [0])) {
            Ok(0) => None,
            Ok(_) => Some((seqid, self.connection.receive())),
            Err(error) if ends(&error) => None,
            Err(error) => panic!("no reply: {error}"),
        }
    }
}

/// Clients that call without a pause.
#[derive(Default)]
struct Load {
    calls: AtomicUsize,
    over: AtomicBool,
}

impl Load {
    /// Calls until it is over. Gives the ids that it renamed, and how many of its connections ended.
    fn run(&self, address: SocketAddr, client: i64) -> (Vec<i64>, usize) {
        let (mut caller, mut renamed) = (Caller::new(address), Vec::new());
        for call in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let own = 1_000 + client * 1_000_000 + call;
            for id in [call % SHARED, own] {
                assert_eq!(caller.ask(get_user(id)).user_id(), id);
            }
            caller.ask(rename_user(own, "x"));
            renamed.push(own);
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        (renamed, caller.ended)
    }

    /// Goes on with clients until `restarts` are over, and checks that each call was made once.
    fn during(&self, address: SocketAddr, backend: &Backend, restarts: impl FnOnce(&Self)) {
        let mut renamed = Vec::new();
        let ended: usize = thread::scope(|scope| {
            let run = |client| move || self.run(address, client);
            let clients: Vec<_> = (0..CLIENTS as i64).map(|client| scope.spawn(run(client))).collect();
            self.goes_on();
            restarts(self);
            self.goes_on();
            self.over.store(true, Ordering::Relaxed);
            let mut count = 0;
            for client in clients {
                let (ids, ended) = client.join().unwrap();
                renamed.extend(ids);
                count += ended;
            }
            count
        });
        let mut made = BTreeMap::new();
        let seen = backend.seen();
        for call in seen.iter().filter(|call| call.name == "renameUser") {
            let Some(Value::I64(id)) = call.field(1) else { panic!("not a call of renameUser: {call:?}") };
            *made.entry(*id).or_insert(0) += 1;
        }
        assert!(made.values().all(|times| *times == 1), "a call was made twice");
        renamed.sort_unstable();
        assert!(made.keys().eq(&renamed), "{} calls were made and {} answered", made.len(), renamed.len());
        assert!(ended >= CLIENTS, "no client noticed anything");
    }

    /// Waits until every client is answered what it asks from here on.
    fn goes_on(&self) {
        let before = self.calls.load(Ordering::Relaxed);
        eventually(|| self.calls.load(Ordering::Relaxed) > before + 2 * CLIENTS);
    }
}

#[test]
fn sockets_that_a_service_manager_keeps_lose_no_call_over_restarts() {
    let backend = backend();
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let text = caching(&backend).text();
    let start = || Gateway::start_given(&text, [&sockets[0], &sockets[1]]);
    let mut gateway = start();
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    assert_eq!([gateway.address(), gateway.admin()], addresses);
    Load::default().during(addresses[0], &backend, |load| {
        for _ in 0..restarts() {
            gateway.terminate();
            assert_eq!(gateway.exit_code(), Some(0));
            gateway = start();
            load.goes_on();
        }
    });
}

/// A configuration at fixed addresses that nobody else has, under which gateways take each other's place.
fn replaceable(backend: &Backend, folder: &Path, network: u8) -> (String, SocketAddr) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let own = IpAddr::from([127, network, high, low]);
    let (admin, users) = (SocketAddr::new(own, 9099), SocketAddr::new(own, 9090));
    let path = folder.join("handover");
    let text = caching(backend).section("runtime", &format!("handover = '{}'", path.display())).text();
    let text = text.replace("'admin.sock'", &format!("'{}'", folder.join("admin.sock").display()));
    let any = "bind = '127.0.0.1:0'";
    let text = text.replacen(any, &format!("bind = '{admin}'"), 1);
    (text.replacen(any, &format!("bind = '{users}'"), 1), users)
}

#[test]
fn gateways_that_take_each_others_place_lose_no_call_and_are_always_ready() {
    let (backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let (text, address) = replaceable(&backend, folder.path(), 77);
    let mut gateway = Gateway::start(&text);
    let admin = gateway.admin();
    let over = AtomicBool::new(false);
    let checks = || {
        while !over.load(Ordering::Relaxed) {
            assert_eq!(readiness(admin), Some(200));
            pass(ms(10));
        }
    };
    thread::scope(|scope| {
        scope.spawn(checks);
        let real = [Library::Thriftpy2, Library::Apache]
            .map(|library| RestlessClient::connect(address, library, Wire::framed()));
        Load::default().during(address, &backend, |load| {
            for _ in 0..restarts() {
                let next = Gateway::start(&text);
                assert_eq!(gateway.exit_code(), Some(0));
                gateway = next;
                assert_eq!(readiness_through(&folder.path().join("admin.sock")), Some(200));
                load.goes_on();
            }
        });
        over.store(true, Ordering::Relaxed);
        for client in real {
            let came = client.stop();
            assert_eq!((&came["wrong"], &came["lost"]), (&0.into(), &0.into()), "{came}");
            assert!(came["own"].as_u64() > came["ended"].as_u64(), "{came}");
        }
    });
}

/// A gateway's configuration whose listener of this name is at `address`, beside others.
fn named(backend: &Backend, name: &str, address: SocketAddr, others: &str) -> String {
    let text = caching(backend).text();
    let (head, tail) = text.split_once("[listeners.users]\nbind = '127.0.0.1:0'").unwrap();
    format!("{head}{others}[listeners.{name}]\nbind = '{address}'{tail}")
}

#[test]
fn a_listener_that_changes_its_name_keeps_its_address_and_others_come_and_go() {
    let backend = backend();
    let [.., high, low] = std::process::id().to_be_bytes();
    let [address, other] = [9090, 9093].map(|port| SocketAddr::from(([127, 79, high, low], port)));
    let more = format!("[listeners.more]\nbind = '{other}'\nservice = 'UserService'\nbackend = 'users'\n");
    let gateway = Gateway::start(&named(&backend, "users", address, ""));
    let reload = |name: &str, others: &str| {
        gateway.configure(&named(&backend, name, address, others));
        let (status, answer) = gateway.command("/v1/reload");
        assert_eq!((status, &answer["needs_restart"]), (200, &serde_json::json!([])), "{answer}");
    };
    let real = [Library::Thriftpy2, Library::Apache]
        .map(|library| RestlessClient::connect(address, library, Wire::framed()));
    Load::default().during(address, &backend, |load| {
        for name in ["people", "users", "people"] {
            reload(name, &more);
            assert_eq!(Client::connect(other, Wire::framed()).get_user(7).user_id(), 7);
            load.goes_on();
            reload(name, "");
            eventually(|| TcpStream::connect(other).is_err());
            load.goes_on();
        }
    });
    for client in real {
        let came = client.stop();
        assert_eq!((&came["wrong"], &came["lost"]), (&0.into(), &0.into()), "{came}");
    }
}

/// One that cannot start has harmed nobody.
#[test]
fn a_gateway_goes_on_when_the_one_after_it_does_not_start() {
    let (backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let (text, _) = replaceable(&backend, folder.path(), 78);
    let gateway = Gateway::start(&text);
    let mut client = gateway.client();
    client.get_user(7);
    let file = folder.path().join("larder.toml");
    // Its listener's port is taken.
    let taken = TcpListener::bind((gateway.address().ip(), 0)).unwrap();
    let elsewhere = text.replace(&gateway.address().to_string(), &taken.local_addr().unwrap().to_string());
    std::fs::write(&file, elsewhere).unwrap();
    assert_eq!(larder().arg("serve").arg(&file).output().unwrap().status.code(), Some(1));
    gateway.logs(&["a handover came to nothing"]);
    client.get_user(8);
    assert_eq!(gateway.client().get_user(9).user_id(), 9);
}

/// Nobody else has the socket: who waits there when the gateway stops would be reset with it.
#[test]
fn who_has_connected_when_a_gateway_stops_is_answered() {
    let backend = backend();
    let mut gateway = gateway().endpoint(backend.address()).start();
    gateway.client().get_user(7);
    gateway.pause();
    let mut clients: Vec<_> = (0..20).map(|_| gateway.client()).collect();
    for (id, client) in (100..).zip(&mut clients) {
        client.send(get_user(id));
    }
    gateway.terminate();
    gateway.resume();
    for (id, client) in (100..).zip(&mut clients) {
        assert_eq!(client.receive().user_id(), id);
        assert!(client.is_closed_unanswered());
    }
    assert_eq!(gateway.exit_code(), Some(0));
    assert!(TcpStream::connect(gateway.address()).is_err());
}

/// The runtime hears of connections and bytes only when it asks the system, which it does not between a stop and an end.
#[test]
fn what_has_come_before_a_stop_is_read_although_the_runtime_has_not_heard_of_it() {
    let backend = backend();
    let text = gateway().endpoint(backend.address()).without_idl().text();
    let (text, nothing) = (text.replace("socket = 'admin.sock'", ""), |_: &str| None);
    let config = Config::load(Path::new("larder.toml"), &|_| Ok(text.clone()), &nothing).config.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let running = runtime.block_on(server::start(config, Surroundings::system())).unwrap();
    let mut client = Client::connect(running.listeners["users"], Wire::framed());
    client.send(get_user(7));
    runtime.block_on(running.stop(ms(10_000)));
    assert_eq!(client.receive().user_id(), 7);
    assert!(client.is_closed_unanswered());
}
