//! A night on call: what an engineer sees and does with the documented commands alone, and the page that is written of it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::harness::*;

const PAGE: &str = "docs/night.md";
/// Where this is set, the page is written anew.
const WRITES: &str = "LARDER_GUIDE";
/// What commands begin with on the page; what they say has the blanks alone.
const PROMPT: &str = "    $ ";
const BLANKS: &str = "    ";
/// The endpoints on the page, as wide as the real ones: two of `users`, and that of `search`.
const ENDPOINTS: [&str; 3] = ["10.0.0.101:9191", "10.0.0.102:9191", "10.0.0.103:9191"];

const EXPLAIN: &str = "larder explain ./admin.sock UserService.listUsers '{\"ids\": [1, 2], \"filter\": {}}'";
const GET_USER: &str = "ttl = '1h'\nstale_if_error = '6h'\nignore = ['trace_id']";
const SEARCH: &str = "backend = 'search'\ntimeout = '500ms'\nstale_if_error = '10m'";

/// A gateway, and what somebody with a shell beside it has done so far.
struct Night {
    gateway: Gateway,
    /// The real addresses of the endpoints.
    endpoints: [String; 3],
    page: String,
}

impl Night {
    fn tells(&mut self, prose: &str) {
        self.page += &format!("{prose}\n\n");
    }

    /// Runs a command until it says all this, as who looks again does.
    #[track_caller]
    fn looks(&mut self, command: &str, sees: &[&str]) {
        self.runs(command, sees, PATIENCE);
    }

    /// Runs a command once.
    #[track_caller]
    fn does(&mut self, command: &str, sees: &[&str]) {
        self.runs(command, sees, Duration::ZERO);
    }

    #[track_caller]
    fn runs(&mut self, command: &str, sees: &[&str], patience: Duration) {
        let begun = Instant::now();
        let mut said = self.run(command);
        while !sees.iter().all(|part| said.contains(part)) {
            assert!(begun.elapsed() < patience, "{command} does not tell {sees:?}:\n{said}");
            said = self.run(command);
        }
        self.writes(command, &said);
    }

    /// What a shell in the gateway's folder shows of a command.
    fn run(&self, command: &str) -> String {
        let named = ENDPOINTS.iter().zip(&self.endpoints);
        let command = named.fold(command.to_owned(), |text, (told, real)| text.replace(told, real));
        let binaries = Path::new(env!("CARGO_BIN_EXE_larder")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{command} 2>&1")]).env("PATH", path);
        let output = shell.current_dir(self.gateway.door().parent().unwrap()).output().unwrap();
        self.normalised(&String::from_utf8(output.stdout).unwrap())
    }

    /// The same with examples in place of addresses and processes, and without the figures for graphs.
    fn normalised(&self, said: &str) -> String {
        let named = ENDPOINTS.iter().zip(&self.endpoints);
        let mut text = named.fold(said.to_owned(), |text, (told, real)| text.replace(real, told));
        for (before, example) in [(" process ", "4711"), ("user ", "1000"), ("client=127.0.0.1:", "50312")] {
            let mut parts: Vec<&str> = text.split(before).collect();
            let numbers = parts.iter_mut().skip(1);
            numbers.for_each(|part| *part = part.trim_start_matches(|c: char| c.is_ascii_digit()));
            text = parts.join(&format!("{before}{example}"));
        }
        text.split(" | 'healthy'").next().unwrap().to_owned()
    }

    /// What the ledger says of the only outage, once that is over.
    fn reads_the_ledger(&mut self) -> Json {
        let mut outages = found(|| {
            let body = self.gateway.page("/v1/outages").unwrap().1;
            let outages: Vec<Json> = serde_json::from_str(&body).unwrap();
            outages[0]["ended_unix_seconds"].is_number().then_some(outages)
        });
        let said = self.normalised(&serde_json::to_string_pretty(&outages).unwrap());
        self.writes("curl -s localhost:9099/v1/outages | jq", &said);
        outages.remove(0)
    }

    fn writes(&mut self, command: &str, said: &str) {
        self.page += &format!("{PROMPT}{command}\n");
        for line in said.trim_end().lines() {
            self.page += format!("{BLANKS}{line}").trim_end();
            self.page += "\n";
        }
        self.page += "\n";
    }

    /// Has the page written, or holds its prose and its commands against what is there.
    fn ends(self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        if std::env::var_os(WRITES).is_some() {
            fs::write(&path, self.page.trim_end().to_owned() + "\n").unwrap();
        }
        let written = fs::read_to_string(&path).unwrap();
        let unlike = told(&written).zip(told(&self.page)).find(|(written, told)| written != told);
        assert_eq!(unlike, None, "{PAGE} has fallen behind: {WRITES}=1 writes it anew");
    }
}

/// A page without what commands have said, and its end.
fn told(page: &str) -> impl Iterator<Item = &str> {
    let told = |line: &&str| line.starts_with(PROMPT) || !line.starts_with(BLANKS) && !line.is_empty();
    page.lines().filter(told).chain(["the end"])
}

/// What clients ask for all night.
fn asked() -> impl Iterator<Item = Message> {
    (1..=5).map(get_user).chain([list_users(&[1, 2], &[])])
}

/// Clients that ask for it again and again, until this is dropped, and what came of their calls.
#[derive(Default)]
struct Callers {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Callers {
    fn of(gateway: &Gateway) -> Arc<Self> {
        let callers = Arc::<Self>::default();
        for mut client in [(); 3].map(|()| gateway.client()) {
            let callers = Arc::downgrade(&callers);
            thread::spawn(move || {
                while let Some(callers) = callers.upgrade() {
                    asked().for_each(|call| callers.make(call, &mut client));
                    // So many rounds a second are the load.
                    pass(ms(20));
                }
            });
        }
        callers
    }

    fn make(&self, call: Message, client: &mut Client) {
        let reply = client.try_call(call).filter(|reply| !reply.is_exception());
        let became = if reply.is_some() { &self.answered } else { &self.failed };
        became.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for a few rounds more: no call has failed since the beginning.
    #[track_caller]
    fn lose_nothing(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        eventually(|| self.answered.load(Ordering::Relaxed) > before + 50);
        assert_eq!(self.failed.load(Ordering::Relaxed), 0);
    }
}

/// Two services: `users` at two endpoints, and `search` at one. Somebody shortened a ttl during the day.
fn evening([one, two, search]: [&PythonBackend; 3]) -> Night {
    let endpoint = format!("endpoints = ['{}']", search.address());
    let builder = gateway().endpoint(one.address()).endpoint(two.address()).get_user(GET_USER);
    let builder = builder.section("backends.search", &endpoint);
    let text =
        |ttl| builder.clone().rule("UserService.listUsers", &format!("ttl = '{ttl}'\n{SEARCH}")).text();
    let gateway = Gateway::start(&text("1m"));
    gateway.configure(&text("200ms"));
    assert_eq!(gateway.command("/v1/reload").0, 200);
    let mut client = gateway.client();
    eventually(|| asked().all(|call| !client.call(call).is_exception()));
    let endpoints = [one, two, search].map(|backend| backend.address().to_string());
    Night { gateway, endpoints, page: String::new() }
}

fn finds_the_reason(night: &mut Night) {
    night.tells(
        "At ten past three the monitor calls. Its words are those of `larder nagios`: nothing fails, but many answers are old, and they are those of `search`.",
    );
    night.looks("larder nagios ./admin.sock", &[", 0% failed", "stale for a fault (search: ", " calls) ("]);
    night.tells("Who is hit, and who is not? One method has no hits, and is out at every endpoint that it has. `users` is well.");
    night.looks(
        "larder top ./admin.sock --once",
        &[
            "UserService.listUsers",
            ", 0.0 % failed",
            "search/10.0.0.103:9191",
            "search: out at every endpoint: UserService.listUsers",
        ],
    );
    night.tells("A few of these calls as they are answered: why they got an old reply, and how old it was.");
    night.looks(
        "larder tap ./admin.sock --outcome stale_if_error --per-second 2 --for 2s",
        &["stale_if_error", "UserService.listUsers", "why=", "age="],
    );
    night.tells("One call in full. Old replies answer it for ten minutes (`stale_if_error`), and then they do no more: there is a clock to stop.");
    night.looks(
        EXPLAIN,
        &["stale_if_error 10m", "search: every endpoint fails", "an old entry answers for the backend"],
    );
    night.tells("Has anybody changed anything? Yes, but a shorter ttl makes no server hang.");
    night.looks("larder config ./admin.sock history", &["2  reload", "listUsers: ttl 1m to 200ms"]);
}

fn holds_what_is_known(night: &mut Night) {
    night.tells("## Time is won\n\nOld replies are held for six hours, until two hours from now. Whoever comes next reads why.");
    night.does(
        "larder switch ./admin.sock hold-stale 6h --backend search --for 2h --why \"search hangs\"",
        &["in force: 1  hold stale 6h for backend search", "search hangs"],
    );
    night.does(EXPLAIN, &["stale_if_error 6h", "steered by    switch 1: hold stale 6h for backend search"]);
    night.tells("The host of `search` has to be started anew, and one of the two servers of `users` lives there too. It gets no more calls.");
    night.does(
        "larder switch ./admin.sock drain users/10.0.0.102:9191 --for 1h --why \"its host is restarted\"",
        &["in force: 2  endpoint users/10.0.0.102:9191 drained"],
    );
    night.looks("larder top ./admin.sock --once", &["users/10.0.0.102:9191               ejected: drained"]);
}

fn purges_a_bad_entry(night: &mut Night) {
    night.tells(
        "## Meanwhile, a wrong answer\n\nSomebody else calls: user 3 was given another name in the database, and clients get the old one. Such replies are kept for an hour.",
    );
    night.looks("larder entries ./admin.sock", &["UserService.getUser", "5 fresh", "UserService.listUsers"]);
    night.does(
        "larder explain ./admin.sock UserService.getUser '{\"id\": 3}'",
        &["ignoring trace_id", "fresh (result of", "the entry of this gateway answers (hit_local)"],
    );
    night.tells("This one reply is out of date. The purge is a soft one: if `users` failed now as well, the old name would be better than none.");
    night.does(
        "larder purge ./admin.sock --call UserService.getUser '{\"id\": 3}' --why \"renamed by hand\"",
        &["answers only while backends fail", "call UserService.getUser"],
    );
}

fn undoes_the_switches(night: &mut Night) {
    night.tells("## It is over\n\nThe host is back, and so are both servers.");
    night.looks("larder top ./admin.sock --once", &["search/10.0.0.103:9191              rotating"]);
    night.tells("What was ordered tonight is undone, rather than left to expire.");
    night.does("larder switch ./admin.sock list", &["1  hold stale", "2  endpoint users/10.0.0.102:9191"]);
    night.does("larder switch ./admin.sock undo 1", &["undone: 1  hold stale 6h for backend search"]);
    night.does("larder switch ./admin.sock undo 2", &["undone: 2  endpoint users/10.0.0.102:9191 drained"]);
    night.does("larder switch ./admin.sock list", &["no switch is in force"]);
    night.tells("The monitor looks at the last minute, and is content when that had no old answers.");
    night.looks("larder nagios ./admin.sock", &["3 of 3 endpoints healthy", ", 0% failed", "no outage"]);
}

fn looks_back(night: &mut Night) {
    night.tells(
        "## For the morning\n\nThe ledger has what callers got: none failed. It begins where nobody could be reached; while `search` hung, it was known as a method that is out at an endpoint.",
    );
    let outage = night.reads_the_ledger();
    assert_eq!((&outage["backend"], &outage["calls"]["failed"]), (&"search".into(), &0.into()), "{outage}");
    assert!(outage["calls"]["stale"].as_u64().unwrap() > 0, "{outage}");
    night.tells("Ten minutes were too short. The rule in force, and what a longer time would change, in words, before anybody reloads:");
    night.does("larder config ./admin.sock show | grep -A 5 listUsers", &["stale_if_error = \"10m\""]);
    night.does("sed \"s/'10m'/'6h'/\" larder.toml > tomorrow.toml", &[]);
    night.does("larder diff larder.toml tomorrow.toml", &["UserService.listUsers: stale_if_error 10m to 6h"]);
}

#[test]
fn a_night_is_got_through_with_the_commands_alone() {
    let [one, mut two, mut search] = [(); 3].map(|()| python_backend(Library::Thriftpy2, Wire::framed()));
    let mut night = evening([&one, &two, &search]);
    let callers = Callers::of(&night.gateway);
    night.tells("# A night on call\n\nA gateway stands before two services: `users`, with two servers, and `search`, with one. What follows is done with the commands alone, in a shell beside the gateway.\nA test does it with real servers and writes this page (addresses and process ids are examples), so the hours of the night pass in seconds.");
    night.looks("larder nagios ./admin.sock", &["LARDER OK", "3 of 3 endpoints healthy", "no outage"]);
    night.tells("## Something hangs");
    search.stop();
    finds_the_reason(&mut night);
    callers.lose_nothing();
    holds_what_is_known(&mut night);
    [&mut two, &mut search].into_iter().for_each(PythonBackend::kill);
    night.tells("## The host is away\n\nNow `search` is not there at all, and that is an outage. Callers notice no difference: what was known is answered.");
    night.looks(
        "larder nagios ./admin.sock",
        &["LARDER CRITICAL", "search is down", ", 0% failed", "outage of"],
    );
    callers.lose_nothing();
    Client::connect(one.address(), Wire::framed()).call(rename_user(3, "corrected"));
    let mut client = night.gateway.client();
    assert_eq!(client.get_user(3).user_name(), "user-3");
    purges_a_bad_entry(&mut night);
    assert_eq!(client.get_user(3).user_name(), "corrected");
    [&mut two, &mut search].into_iter().for_each(PythonBackend::revive);
    undoes_the_switches(&mut night);
    callers.lose_nothing();
    looks_back(&mut night);
    night.ends();
}
