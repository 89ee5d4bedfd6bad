//! The endpoint over real sockets: who is answered, who is hung up on, and what becomes of commands.

mod page;

use std::net::SocketAddr;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::command::Reloaded;
use super::exchange::{AT_ONCE, EXCHANGE_MAX, HEAD_MAX, ONGOING_MOST};
use super::status::{ConfigStatus, LocalStatus, SharedStatus};
use super::*;
use futures_util::future::BoxFuture;

use crate::accept::{Asker, Bind, Bound, Sockets};
use crate::advice::Adviser;
use crate::cache::Cache;
use crate::cache::local::Local;
use crate::clock::Clock;
use crate::dial::{Dial, Stream, Tcp};
use crate::gateway::named::Directory;
use crate::seed::Seed;
use crate::setting::Secret;
use crate::switch::{self, table::InForce};

/// A gateway about which there is nothing to say.
pub(super) struct Nothing;

impl Subject for Nothing {
    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn status(&self) -> Status {
        Status {
            version: "0.1.0".to_owned(),
            uptime_seconds: 1.0,
            config: ConfigStatus {
                age_seconds: 1.0,
                generation: 1,
                last_reload: "ok".to_owned(),
                ..ConfigStatus::default()
            },
            backends: Vec::new(),
            local: LocalStatus { entries: 0, bytes: 0 },
            shared: SharedStatus { configured: false, up: false, servers: vec![] },
            certificates: Vec::new(),
            switches: Vec::new(),
            verification: Vec::new(),
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn outages(&self) -> Vec<Outage> {
        Vec::new()
    }

    fn configurations(&self) -> Vec<Configuration> {
        Vec::new()
    }

    fn answers(&self) -> Answers {
        Answers { slot_seconds: 30, slots: 120, until_unix_seconds: 0.0, methods: Vec::new() }
    }

    fn is_ready(&self) -> bool {
        true
    }
}

/// A gateway that has room for no switch.
#[derive(Debug)]
struct Unsteered;

impl Steering for Unsteered {
    fn in_force(&self) -> Vec<InForce> {
        Vec::new()
    }

    fn set(&self, _: switch::order::Order, _: Asker) -> Result<InForce, switch::table::Refusal> {
        Err(switch::table::Refusal::Full)
    }

    fn undo(&self, id: u64, _: Asker, _: &str) -> Result<InForce, switch::table::Refusal> {
        Err(switch::table::Refusal::Gone(id))
    }

    fn keep(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Explanations where nothing is served.
fn explainer() -> Explainer {
    let cache = Cache::new(Local::new(1 << 20, Seed::new(1)), None, Duration::ZERO);
    Explainer::new(Directory::default(), Arc::new(cache), Clock::system())
}

/// Purges where nothing is served.
fn purges() -> Purges {
    let cache = Cache::new(Local::new(1 << 20, Seed::new(1)), None, Duration::ZERO);
    Purges::new(Directory::default(), Arc::new(cache), Clock::system(), &mut Registry::default())
}

/// An inventory of nothing.
fn inventory() -> Inventory {
    let cache = Cache::new(Local::new(1 << 20, Seed::new(1)), None, Duration::ZERO);
    Inventory::new(Directory::default(), Arc::new(cache), Clock::system(), &mut Registry::default())
}

/// An endpoint, and whoever carries out its commands.
struct Served {
    address: SocketAddr,
    commands: mpsc::Receiver<Command>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        Self::obeying(Authority::Anybody).await
    }

    /// One that carries out the orders of those alone.
    async fn obeying(authority: Authority) -> Self {
        let listener = Sockets::default().bind("admin", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address().unwrap();
        let (orders, commands) = mpsc::channel(1);
        let hosts = Hosts::new(&["gateway.example".to_owned()]);
        let (purges, subject) = (Arc::new(purges()), Arc::new(Nothing));
        let (commands_to, stop) = (orders, CancellationToken::new());
        let explainer = Arc::new(explainer());
        let adviser = Arc::new(Adviser::new(Directory::default(), Clock::system()));
        let means = Means {
            subject,
            commands: commands_to,
            explainer,
            adviser,
            purges,
            inventory: Arc::new(inventory()),
            taps: Arc::default(),
            steering: Arc::new(Unsteered),
            hosts,
        };
        let task = tokio::spawn(serve((listener, None), Arc::new(means), authority, stop.clone()));
        Self { address, commands, stop, task }
    }

    /// A connection that has sent this and no more.
    async fn sends(&self, bytes: &str) -> Box<dyn Stream> {
        let mut stream = Tcp.dial(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }

    /// All that comes back for these bytes until the connection ends.
    async fn answer(&self, bytes: &str) -> String {
        rest(&mut *self.sends(bytes).await).await
    }

    async fn asked_as(&self, host: &str) -> String {
        self.answer(&format!("GET /v1/status HTTP/1.1\r\nHost: {host}\r\n\r\n")).await
    }
}

/// What comes until the connection ends, by whichever side.
async fn rest(stream: &mut dyn Stream) -> String {
    let mut bytes = Vec::new();
    // A reset after the response is an end as well.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

fn is(response: &str, status: u16) -> bool {
    response.starts_with(&format!("HTTP/1.1 {status} "))
        || response.starts_with(&format!("HTTP/1.0 {status} "))
}

#[tokio::test]
async fn a_name_that_a_stranger_can_give_away_is_refused_with_the_remedy() {
    let served = Served::start().await;
    for known in ["localhost", "127.0.0.1:9099", "[::1]:9099", "Gateway.example:9099"] {
        let response = served.asked_as(known).await;
        assert!(is(&response, 200), "{known}: {response}");
    }
    for strange in ["evil.example", "localhost.evil.example:9099", ""] {
        let response = served.asked_as(strange).await;
        assert!(is(&response, 421) && response.contains("admin.hosts"), "{strange}: {response}");
        assert!(!response.contains("version"), "{response}");
    }
    let both = served.answer("GET http://evil.example/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(is(&both, 421), "{both}");
    let nameless = served.answer("GET /livez HTTP/1.0\r\n\r\n").await;
    assert!(is(&nameless, 200), "{nameless}");
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_finish_a_request_is_hung_up_on() {
    let served = Served::start().await;
    let body = "POST /v1/purge HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n{";
    for unfinished in ["", "GET /v1/status", "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n", body] {
        let began = Instant::now();
        let mut stream = served.sends(unfinished).await;
        assert_eq!(rest(&mut *stream).await, "", "{unfinished}");
        assert!(began.elapsed() >= EXCHANGE_MAX);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_beyond_the_bound_waits_until_one_before_it_is_hung_up_on() {
    let (served, other) = (Served::start().await, Served::start().await);
    // The clock stands while a blocking task runs.
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let standing = tokio::task::spawn_blocking(move || gone.recv());
    let mut idle = Vec::new();
    for _ in 0..AT_ONCE {
        idle.push(served.sends("GET").await);
    }
    let asked = tokio::spawn(async move { served.asked_as("localhost").await });
    // Whatever would be answered has been by the time that another endpoint has answered so often.
    for _ in 0..AT_ONCE {
        assert!(is(&other.asked_as("localhost").await, 200));
    }
    assert!(!asked.is_finished());
    drop(go);
    assert!(standing.await.is_ok());
    assert!(is(&asked.await.unwrap(), 200));
}

#[tokio::test]
async fn a_request_is_bounded_and_its_body_is_not_read() {
    let served = Served::start().await;
    let headed =
        |length| format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(length));
    assert!(is(&served.answer(&headed(HEAD_MAX - 100)).await, 200));
    assert!(is(&served.answer(&headed(HEAD_MAX)).await, 431));
    let body = "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n";
    assert!(is(&served.answer(body).await, 405));
}

#[tokio::test]
async fn a_connection_ends_with_its_response() {
    let served = Served::start().await;
    let response = served.answer("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(is(&response, 200) && response.to_ascii_lowercase().contains("connection: close"), "{response}");
}

#[tokio::test]
async fn told_to_stop_it_ends_although_a_client_stays() {
    let served = Served::start().await;
    let mut stays = served.sends("").await;
    assert!(is(&served.asked_as("localhost").await, 200));
    served.stop.cancel();
    served.task.await.unwrap();
    assert_eq!(rest(&mut *stays).await, "");
}

const RELOAD: &str = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n";

/// What a client hears whose reload comes to `reloaded`.
async fn hears(reloaded: Reloaded) -> String {
    let mut served = Served::start().await;
    let mut stream = served.sends(&format!("{RELOAD}\r\n")).await;
    let Some(Command::Reload(answer)) = served.commands.recv().await else { panic!("no reload") };
    answer.send(reloaded).unwrap();
    rest(&mut *stream).await
}

#[tokio::test]
async fn a_reload_is_answered_with_what_it_came_to() {
    let applied = Reloaded::Applied {
        changes: vec!["rules".to_owned()],
        says: vec!["a rule".to_owned()],
        needs_restart: vec!["limits.depth".to_owned()],
        warnings: Vec::new(),
    };
    let response = hears(applied).await;
    assert!(is(&response, 200), "{response}");
    assert!(
        response.ends_with(
            r#"{"result":"applied","changes":["rules"],"says":["a rule"],"needs_restart":["limits.depth"],"warnings":[]}"#
        ),
        "{response}"
    );
    let refused = Reloaded::Refused { problems: vec!["larder.toml:3: no".to_owned()], warnings: Vec::new() };
    let response = hears(refused).await;
    assert!(is(&response, 422), "{response}");
    assert!(
        response.ends_with(r#"{"result":"refused","problems":["larder.toml:3: no"],"warnings":[]}"#),
        "{response}"
    );
}

#[tokio::test]
async fn a_command_that_nobody_takes_is_refused() {
    let mut served = Served::start().await;
    served.commands.close();
    let response = served.answer(&format!("{RELOAD}\r\n")).await;
    assert!(is(&response, 503), "{response}");
}

/// An order with this body.
fn purge_of(headers: &str, body: &str) -> String {
    format!(
        "POST /v1/purge HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_purge_says_what_it_marked() {
    let served = Served::start().await;
    let response = served.answer(&purge_of("", r#"{"all": true, "kind": "hard"}"#)).await;
    assert!(is(&response, 200), "{response}");
    let said =
        r#"{"marked":["all"],"kind":"hard","tick":1,"version":null,"reached":"gateway","warnings":[]}"#;
    assert!(response.ends_with(said), "{response}");
    let response = served.answer(&purge_of("", r#"{"service": "S"}"#)).await;
    assert!(is(&response, 422) && response.ends_with("unknown service S\n"), "{response}");
    let response = served.answer(&purge_of("", "{}")).await;
    assert!(is(&response, 400) && response.contains("expected exactly one"), "{response}");
}

#[tokio::test]
async fn a_purge_is_bounded_and_never_asked_by_get() {
    let served = Served::start().await;
    let why = |length: usize| format!(r#"{{"all": true, "why": "{}"}}"#, "x".repeat(length));
    assert!(is(&served.answer(&purge_of("", &why(1_000))).await, 200));
    assert!(is(&served.answer(&purge_of("", &why(BODY_MAX))).await, 413));
    let got = served.answer("GET /v1/purge?all=true HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(is(&got, 405), "{got}");
    let page = purge_of("Origin: http://evil.example\r\n", r#"{"all": true}"#);
    assert!(is(&served.answer(&page).await, 403));
}

#[tokio::test]
async fn orders_are_taken_from_whom_the_endpoint_knows() {
    let all = r#"{"all": true}"#;
    let closed = Served::obeying(Authority::Nobody).await;
    for order in [purge_of("", all), format!("{RELOAD}\r\n")] {
        let response = closed.answer(&order).await;
        assert!(is(&response, 403) && response.contains("admin.token_file"), "{response}");
    }
    assert!(is(&closed.asked_as("localhost").await, 200));
    let known = Served::obeying(Authority::Token(Secret::new("sesame".to_owned()))).await;
    let response = known.answer(&purge_of("", all)).await;
    assert!(
        is(&response, 401) && response.to_ascii_lowercase().contains("www-authenticate: bearer"),
        "{response}"
    );
    assert!(is(&known.answer(&purge_of("Authorization: Bearer open\r\n", all)).await, 401));
    assert!(is(&known.answer(&purge_of("Authorization: Bearer sesame\r\n", all)).await, 200));
    assert!(is(&known.asked_as("localhost").await, 200));
}

#[tokio::test]
async fn switches_are_set_and_undone_by_orders_alone() {
    let served = Served::start().await;
    let post = |body: &str| purge_of("", body).replace("/v1/purge", "/v1/switches");
    let bypass = r#"{"switch": {"kind": "bypass", "method": "S.m"}, "for": "10m"}"#;
    assert!(is(&served.answer(&post(bypass)).await, 409));
    assert!(is(&served.answer(&post("{}")).await, 400));
    let undo = |id: &str| format!("DELETE /v1/switches/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let gone = served.answer(&undo("7")).await;
    assert!(is(&gone, 404) && gone.contains("no switch 7"), "{gone}");
    assert!(is(&served.answer(&undo("seven")).await, 400));
    let closed = Served::obeying(Authority::Nobody).await;
    for order in [post(bypass), undo("7")] {
        assert!(is(&closed.answer(&order).await, 403), "{order}");
    }
    let list = "GET /v1/switches HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(closed.answer(list).await.ends_with("[]"));
}
