//! The real gateway, as a process with a configuration of its own.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::Value as Json;
use tempfile::TempDir;

use super::client::Client;
use super::eventually;
use super::process::Process;
use super::redis::Redis;
use super::thrift::Wire;

/// What a gateway is to be started with: one listener `users` in front of one backend `users`.
pub(crate) fn gateway() -> Builder {
    Builder {
        endpoints: Vec::new(),
        backend_wire: Wire::framed(),
        posts: false,
        options: Vec::new(),
        rules: Vec::new(),
        idl: true,
    }
}

/// The configuration of a gateway, in words.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    endpoints: Vec<String>,
    backend_wire: Wire,
    posts: bool,
    options: Vec<(&'static str, String)>,
    rules: Vec<(String, String)>,
    idl: bool,
}

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    process: Process,
    listener: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) folder: TempDir,
}

impl Builder {
    /// Adds an endpoint.
    pub(crate) fn endpoint(mut self, address: SocketAddr) -> Self {
        self.endpoints.push(address.to_string());
        self
    }

    /// Adds an endpoint that is a socket in the file system.
    pub(crate) fn local_endpoint(mut self, socket: &Path) -> Self {
        self.endpoints.push(format!("unix:{}", socket.display()));
        self
    }

    /// How the backend is spoken to; framed binary if nothing is said.
    pub(crate) fn backend_speaks(mut self, wire: Wire) -> Self {
        self.backend_wire = wire;
        self
    }

    /// Has each message to the backend posted, over HTTP.
    pub(crate) fn backend_is_posted_to(mut self) -> Self {
        self.posts = true;
        self
    }

    /// Adds a rule, such as `rule("UserService.getUser", "ttl = '1s'")`.
    pub(crate) fn rule(mut self, pattern: &str, options: &str) -> Self {
        self.rules.push((pattern.to_owned(), options.to_owned()));
        self
    }

    /// The rule that most tests need: `getUser` with these options.
    pub(crate) fn get_user(self, options: &str) -> Self {
        self.rule("UserService.getUser", options)
    }

    /// Options of the listener.
    pub(crate) fn listener(self, options: &str) -> Self {
        self.section("listeners.users", options)
    }

    /// Options of the backend.
    pub(crate) fn backend(self, options: &str) -> Self {
        self.section("backends.users", options)
    }

    /// Options of any other section.
    pub(crate) fn section(mut self, name: &'static str, options: &str) -> Self {
        self.options.push((name, options.to_owned()));
        self
    }

    /// A shared tier.
    pub(crate) fn shared(self, redis: &Redis) -> Self {
        let url = format!("url = '{}'", redis.url());
        self.section("cache.shared", &url)
    }

    /// A listener that knows no IDL.
    pub(crate) fn without_idl(mut self) -> Self {
        self.idl = false;
        self
    }

    /// The configuration file's text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut sections = vec!["runtime", "log", "admin", "listeners.users", "backends.users"];
        for (name, _) in &self.options {
            if !sections.contains(name) {
                sections.push(name);
            }
        }
        for name in sections {
            let _ = writeln!(text, "[{name}]\n{}", self.base(name));
            for (_, options) in self.options.iter().filter(|(section, _)| *section == name) {
                let _ = writeln!(text, "{options}");
            }
        }
        for (pattern, options) in &self.rules {
            let _ = writeln!(text, "[rules.\"{pattern}\"]\n{options}");
        }
        text
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn start(&self) -> Gateway {
        Gateway::start(&self.text())
    }

    fn base(&self, section: &str) -> String {
        match section {
            "runtime" => "threads = 2".to_owned(),
            "log" => "format = 'json'\ncalls_per_second = 1000".to_owned(),
            "admin" => "bind = '127.0.0.1:0'\nsocket = 'admin.sock'".to_owned(),
            "listeners.users" => {
                let idl = if self.idl { format!("idl = '{}'", idl().display()) } else { String::new() };
                format!("bind = '127.0.0.1:0'\nservice = 'UserService'\nbackend = 'users'\n{idl}")
            }
            "backends.users" => {
                let wire = self.backend_wire;
                let transport = if self.posts { "http" } else { wire.transport_name() };
                let protocol = wire.protocol_name();
                format!(
                    "endpoints = {:?}\ntransport = '{transport}'\nprotocol = '{protocol}'",
                    self.endpoints
                )
            }
            _ => String::new(),
        }
    }
}

impl Gateway {
    /// Starts a gateway with this configuration and waits until it is ready.
    pub(crate) fn start(text: &str) -> Self {
        Self::started(text, larder())
    }

    /// The same, where the system allows no more than so many descriptors.
    pub(crate) fn start_within(text: &str, descriptors: u64) -> Self {
        Self::started(text, larder_within(descriptors))
    }

    /// The same, told to give notice of how it does at a socket, and to give a sign of life each so many microseconds.
    pub(crate) fn start_notifying(text: &str, socket: &Path, life: u64) -> Self {
        let mut larder = larder();
        larder.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", life.to_string());
        Self::started(text, larder)
    }

    fn started(text: &str, mut larder: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("larder.toml");
        std::fs::write(&config, text).unwrap();
        let process = Process::start(larder.arg("serve").arg("--config").arg(&config));
        Self::ready(process, folder)
    }

    /// The same, with the configuration that lies in this folder.
    pub(crate) fn start_in(folder: TempDir) -> Self {
        let config = folder.path().join("larder.toml");
        let process = Process::start(larder().arg("serve").arg("--config").arg(&config));
        Self::ready(process, folder)
    }

    /// The same, given two listening sockets as a service manager gives them: the listener's and the admin endpoint's.
    pub(crate) fn start_given(text: &str, [users, admin]: [&TcpListener; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("larder.toml");
        std::fs::write(&config, text).unwrap();
        let mut shell = Command::new("sh");
        // What it says goes to standard error, because its other streams bring the sockets.
        let given = "exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_PID=$$; exec \"$@\"";
        shell.args(["-c", given, "sh", env!("CARGO_BIN_EXE_larder"), "serve"]).arg(&config);
        shell.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "users:admin");
        let stream = |socket: &TcpListener| Stdio::from(OwnedFd::from(socket.try_clone().unwrap()));
        Self::ready(Process::start_with(&mut shell, stream(users), stream(admin)), folder)
    }

    fn ready(mut process: Process, folder: TempDir) -> Self {
        let listener = process.says(|line| address(line, "listening"));
        let admin = process.says(|line| address(line, "admin listening"));
        process.says(|line| message(line, "ready"));
        Self { process, listener, admin, folder }
    }

    /// A connection that speaks framed binary.
    pub(crate) fn client(&self) -> Client {
        self.client_speaking(Wire::framed())
    }

    pub(crate) fn client_speaking(&self, wire: Wire) -> Client {
        Client::connect(self.listener, wire)
    }

    /// The same, from another address of this machine.
    pub(crate) fn client_from(&self, address: [u8; 4]) -> Client {
        Client::connect_from(address.into(), self.listener, Wire::framed())
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener
    }

    /// Where operators look.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Puts another configuration where it reads its own.
    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.folder.path().join("larder.toml"), config).unwrap();
    }

    /// What it reads.
    pub(crate) fn configuration(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("larder.toml")).unwrap()
    }

    /// Gives it another configuration and tells it to read that.
    pub(crate) fn reload(&self, config: &str) {
        self.configure(config);
        self.process.signal(Signal::HUP);
    }

    /// Bytes of memory that it has, but for what is mapped of its program.
    pub(crate) fn memory(&self) -> usize {
        self.process.memory()
    }

    /// The names of its threads.
    pub(crate) fn threads(&self) -> Vec<String> {
        self.process.threads()
    }

    /// Lets it open no further file descriptor, or lets it again.
    pub(crate) fn opens_descriptors(&self, may: bool) {
        self.process.opens_descriptors(may);
    }

    /// Lets it do nothing, or go on: the system goes on accepting connections for it.
    pub(crate) fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for its end, and gives its exit code.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.process.ends().code()
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.process.lines()
    }

    /// Waits until it has logged a line with all these words.
    #[track_caller]
    pub(crate) fn logs(&self, words: &[&str]) {
        eventually(|| self.log().iter().any(|line| words.iter().all(|word| line.contains(word))));
    }
}

/// The binary, with no arguments yet.
pub(crate) fn larder() -> Command {
    Command::new(env!("CARGO_BIN_EXE_larder"))
}

/// The same, where the system allows no more than so many descriptors.
pub(crate) fn larder_within(descriptors: u64) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n $1; shift; exec \"$@\"", "sh"]);
    shell.args([descriptors.to_string().as_str(), env!("CARGO_BIN_EXE_larder")]);
    shell
}

/// What `larder check` says of this configuration.
pub(crate) fn check(config: &str) -> Output {
    check_by(config, &[])
}

/// The same with further options.
pub(crate) fn check_by(config: &str, options: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    std::fs::write(&file, config).unwrap();
    larder().arg("check").arg(&file).args(options).output().unwrap()
}

/// What the services declare.
pub(crate) fn idl() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("idl/users.thrift")
}

/// The line's event, if it has this message.
fn message(line: &str, wanted: &str) -> Option<Json> {
    let event: Json = serde_json::from_str(line).ok()?;
    (event.get("message")?.as_str()? == wanted).then_some(event)
}

fn address(line: &str, wanted: &str) -> Option<SocketAddr> {
    message(line, wanted)?.get("address")?.as_str()?.parse().ok()
}
