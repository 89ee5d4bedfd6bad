//! Real Thrift libraries: clients and servers in Python, as processes.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, Command};

use rustix::process::Signal;
use serde_json::{Value as Json, json};

use super::found;
use super::process::Process;
use super::thrift::{Protocol, Transport, Wire};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Library {
    Thriftpy2,
    Apache,
}

impl Library {
    pub(crate) const ALL: [Self; 2] = [Self::Thriftpy2, Self::Apache];

    /// What it speaks.
    pub(crate) fn wires(self) -> &'static [Wire] {
        match self {
            Self::Thriftpy2 => Wire::EVERYBODYS,
            Self::Apache => &Wire::ALL,
        }
    }
}

/// Starts a server for `idl/users.thrift`.
pub(crate) fn python_backend(library: Library, wire: Wire) -> PythonBackend {
    PythonBackend::start(library, wire, &[])
}

/// A server that answers multiplexed calls alone.
pub(crate) fn multiplexed_python_backend(library: Library, wire: Wire) -> PythonBackend {
    PythonBackend::start(library, wire, &["--multiplexed"])
}

/// A server that is reached by a socket in the file system.
pub(crate) fn local_python_backend(library: Library, wire: Wire, socket: &Path) -> PythonBackend {
    PythonBackend::start(library, wire, &["--unix", &socket.display().to_string()])
}

/// A server that speaks TLS, with further options such as `--tls-certificate`.
pub(crate) fn encrypted_python_backend(library: Library, wire: Wire, more: &[&str]) -> PythonBackend {
    PythonBackend::start(library, wire, more)
}

/// A server that answers POSTs, each on a connection that it closes.
pub(crate) fn posted_python_backend(library: Library, protocol: Protocol) -> PythonBackend {
    PythonBackend::start(library, Wire::of(Transport::Framed, protocol), &["--http"])
}

/// A server in which so many calls may take their time at once.
pub(crate) fn python_backend_of(workers: usize, library: Library, wire: Wire) -> PythonBackend {
    PythonBackend::start(library, wire, &["--workers", &workers.to_string()])
}

/// thriftpy2's server on an event loop, which closes each connection 3 s after it was opened.
pub(crate) fn asyncio_python_backend(wire: Wire) -> PythonBackend {
    PythonBackend::start(Library::Thriftpy2, wire, &["--asyncio"])
}

/// A server that serves one connection at a time.
pub(crate) fn single_python_backend(wire: Wire) -> PythonBackend {
    PythonBackend::start(Library::Apache, wire, &["--single"])
}

/// Starts a server for `idl/metastore.thrift`.
pub(crate) fn python_metastore() -> PythonBackend {
    PythonBackend::start(Library::Thriftpy2, METASTORE_WIRE, &METASTORE)
}

/// How a metastore is spoken to.
const METASTORE_WIRE: Wire = Wire { transport: Transport::Unframed, protocol: Protocol::Binary };
const METASTORE: [&str; 4] = ["--idl", "metastore", "--service", "ThriftHiveMetastore"];

#[derive(Debug)]
pub(crate) struct PythonBackend {
    process: Process,
    address: SocketAddr,
    /// What starts it, at its address.
    command: Command,
}

/// A client that keeps one connection.
#[derive(Debug)]
pub(crate) struct PythonClient {
    process: Process,
    input: ChildStdin,
    read: usize,
}

impl PythonBackend {
    fn start(library: Library, wire: Wire, more: &[&str]) -> Self {
        let command = |port: u16| {
            let mut command = peer("server.py", library, wire);
            command.args(["--port", &port.to_string()]).args(more);
            command
        };
        let mut process = Process::start(&mut command(0));
        let port: u16 = process.says(|line| line.strip_prefix("listening ")?.parse().ok());
        Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)), command: command(port) }
    }

    /// Starts it anew at its address.
    pub(crate) fn revive(&mut self) {
        self.process = Process::start(&mut self.command);
        self.process.says(|line| line.strip_prefix("listening ").map(str::to_owned));
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it as SIGSTOP does: the kernel goes on accepting, nothing is answered.
    pub(crate) fn stop(&self) {
        self.process.signal(Signal::STOP);
    }

    pub(crate) fn cont(&self) {
        self.process.signal(Signal::CONT);
    }
}

impl PythonClient {
    pub(crate) fn connect(address: SocketAddr, library: Library, wire: Wire) -> Self {
        Self::connect_with(address, library, wire, &[])
    }

    /// Connects with more options, such as `--multiplexed`.
    pub(crate) fn connect_with(address: SocketAddr, library: Library, wire: Wire, more: &[&str]) -> Self {
        let port = address.port().to_string();
        let mut process = Process::start(peer("client.py", library, wire).args(["--port", &port]).args(more));
        let input = process.input();
        Self { process, input, read: 0 }
    }

    /// A client of a metastore.
    pub(crate) fn of_metastore(address: SocketAddr) -> Self {
        Self::connect_with(address, Library::Thriftpy2, METASTORE_WIRE, &METASTORE)
    }

    /// Makes a call, and gives the line it came to.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, args: Json) -> Json {
        self.say(json!({"call": method, "args": args}));
        self.answer()
    }

    /// Sends a call without waiting for its reply.
    #[track_caller]
    pub(crate) fn send(&mut self, method: &str, args: Json) {
        self.say(json!({"send": method, "args": args}));
        self.answer();
    }

    /// Reads the reply of a call sent before.
    #[track_caller]
    pub(crate) fn receive(&mut self, method: &str) -> Json {
        self.say(json!({"recv": method}));
        self.answer()
    }

    /// The email of user `id`.
    #[track_caller]
    pub(crate) fn email(&mut self, id: i64) -> String {
        let answer = self.call("getUser", json!([id, "trace"]));
        let email = answer["value"]["email"].as_str();
        email.unwrap_or_else(|| panic!("not a user: {answer}")).to_owned()
    }

    /// Makes a call with info headers beside it.
    #[track_caller]
    pub(crate) fn call_beside(&mut self, headers: Json, method: &str, args: Json) -> Json {
        self.say(json!({"call": method, "args": args, "headers": headers}));
        self.answer()
    }

    fn say(&mut self, line: Json) {
        writeln!(self.input, "{line}").unwrap();
    }

    #[track_caller]
    fn answer(&mut self) -> Json {
        let at = self.read;
        self.read += 1;
        let line = found(|| {
            let line = self.process.lines().get(at).cloned();
            assert!(
                line.is_some() || !self.process.has_ended() || self.process.lines().len() > at,
                "the client ended"
            );
            line
        });
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the client failed:\n{}", self.process.lines().join("\n")))
    }
}

/// A client that calls without a pause, and connects again when its connection ends.
#[derive(Debug)]
pub(crate) struct RestlessClient {
    process: Process,
    input: ChildStdin,
}

impl RestlessClient {
    pub(crate) fn connect(address: SocketAddr, library: Library, wire: Wire) -> Self {
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let options = ["--host", &host, "--port", &port];
        let mut process = Process::start(peer("restless.py", library, wire).args(options));
        let input = process.input();
        process.says(|line| (line == "calling").then_some(()));
        Self { process, input }
    }

    /// Stops it, and gives what its calls came to.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Json {
        drop(self.input);
        self.process.says(|line| serde_json::from_str(line).ok())
    }
}

/// What so many runs of `late.py` come to, each on a connection of its own.
pub(crate) fn late_replies(address: SocketAddr, library: Library, wire: Wire, runs: u32) -> Json {
    let mut clients = peer("late.py", library, wire);
    clients.args(["--port", &address.port().to_string(), "--runs", &runs.to_string()]);
    let said = clients.output().unwrap();
    serde_json::from_slice(&said.stdout)
        .unwrap_or_else(|_| panic!("the clients failed:\n{}", String::from_utf8_lossy(&said.stderr)))
}

fn peer(script: &str, library: Library, wire: Wire) -> Command {
    let mut command = python(script);
    let library = match library {
        Library::Thriftpy2 => "thriftpy2",
        Library::Apache => "apache",
    };
    command.args(["--library", library]);
    command.args(["--transport", wire.transport_name(), "--protocol", wire.protocol_name()]);
    command
}

/// One of the programs beside the tests.
pub(super) fn python(script: &str) -> Command {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let python = tests.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run tests/run, which makes it", python.display());
    let mut command = Command::new(python);
    command.arg(tests.join("peers").join(script));
    command
}
