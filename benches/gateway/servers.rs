//! The servers measured, each alone on its core with one thread, and the echo behind those that pass.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::ValueEnum;
use tempfile::TempDir;

use crate::Fallible;
use crate::call::{self, Speech};
use crate::cell::Cell;
use crate::ids::Ids;
use crate::load::{Load, Order};
use crate::process::{self, Core, Process};

/// A server of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Name {
    Echo,
    Hit,
    HitBefore,
    Translated,
    Marked,
    Million,
    Passed,
    PassedBefore,
    TranslatedPassed,
    Observed,
    Haproxy,
    Envoy,
    Redis,
    Shared,
    Fetch,
}

/// Where programs and scratch files are.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) peers: PathBuf,
    /// Another build of Larder.
    pub(crate) before: Option<PathBuf>,
    pub(crate) scratch: TempDir,
}

/// One server under measurement.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) name: Name,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Where its values lie.
    values: SocketAddr,
    ids: Rc<Ids>,
    filled: HashSet<usize>,
}

/// All servers of a run. They stay up all the time; an idle one costs the others nothing.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) missing: Vec<String>,
    _backend: Process,
    /// The Redis that others fetch from.
    behind: Option<(Process, SocketAddr)>,
}

impl Name {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Echo => "bare tokio echo",
            Self::Hit => "Larder hit, 10,000 keys",
            Self::HitBefore => "Larder hit, the build before",
            Self::Translated => "Larder hit, translated",
            Self::Marked => "Larder hit, 10,000 marks in force",
            Self::Million => "Larder hit, 1 million keys",
            Self::Passed => "Larder passed call",
            Self::PassedBefore => "Larder passed call, the build before",
            Self::TranslatedPassed => "Larder passed call, translated",
            Self::Observed => "Larder passed call, observed",
            Self::Haproxy => "HAProxy, TCP mode",
            Self::Envoy => "Envoy thrift_proxy",
            Self::Redis => "Redis GET",
            Self::Shared => "Larder hit in Redis",
            Self::Fetch => "bare tokio fetch from Redis",
        }
    }

    fn keys(self) -> u32 {
        if self == Self::Million { 1_000_000 } else { 10_000 }
    }

    fn speech(self) -> Speech {
        match self {
            Self::Redis => Speech::Redis,
            Self::Translated => Speech::Compact(call::CACHED),
            Self::TranslatedPassed => Speech::Compact(call::PASSED),
            Self::Hit | Self::HitBefore | Self::Marked | Self::Million | Self::Shared | Self::Fetch => {
                Speech::Thrift(call::CACHED)
            }
            Self::Echo | Self::Passed | Self::PassedBefore | Self::Observed | Self::Haproxy | Self::Envoy => {
                Speech::Thrift(call::PASSED)
            }
        }
    }
}

impl Place {
    pub(crate) fn find(peers: &Path, before: Option<&Path>) -> Fallible<Self> {
        Ok(Self { peers: peers.to_owned(), before: before.map(Path::to_owned), scratch: TempDir::new()? })
    }

    /// Starts an echo on `core`.
    pub(crate) fn echo(&self, core: Core) -> Fallible<(Process, SocketAddr)> {
        let address = process::free_address()?;
        let arguments = ["--echo".to_owned(), address.port().to_string()];
        let mut echo =
            Process::spawn(core, &std::env::current_exe()?, &arguments, self.log("echo", address))?;
        echo.wait_for(address)?;
        Ok((echo, address))
    }

    /// Starts Larder in front of `backend` with a local tier of `capacity`.
    pub(crate) fn larder(&self, backend: SocketAddr, capacity: &str) -> Fallible<(Process, SocketAddr)> {
        self.run(Path::new(env!("CARGO_BIN_EXE_larder")), &larder_config(backend, capacity))
    }

    /// The same, with a tag on each entry, and a method whose calls mark it.
    fn marked(&self, backend: SocketAddr) -> Fallible<(Process, SocketAddr)> {
        self.run(Path::new(env!("CARGO_BIN_EXE_larder")), &marked_config(backend))
    }

    /// The same, with a rule that learns from all that passes.
    fn observing(&self, backend: SocketAddr) -> Fallible<(Process, SocketAddr)> {
        let text = larder_config(backend, "1GiB");
        self.run(
            Path::new(env!("CARGO_BIN_EXE_larder")),
            &format!("{text}\n[rules.\"*\"]\nmode = \"observe\"\n"),
        )
    }

    /// The same, with entries in `redis` alone.
    fn sharing(&self, backend: SocketAddr, redis: SocketAddr) -> Fallible<(Process, SocketAddr)> {
        self.run(Path::new(env!("CARGO_BIN_EXE_larder")), &sharing_config(backend, redis))
    }

    /// Starts the bare fetch.
    fn fetch(&self, redis: SocketAddr) -> Fallible<(Process, SocketAddr)> {
        let address = process::free_address()?;
        let arguments =
            ["--echo".to_owned(), address.port().to_string(), "--from".to_owned(), redis.to_string()];
        let program = std::env::current_exe()?;
        let mut fetch = Process::spawn(Core::Server, &program, &arguments, self.log("fetch", address))?;
        fetch.wait_for(address)?;
        Ok((fetch, address))
    }

    fn before(&self, backend: SocketAddr) -> Fallible<(Process, SocketAddr)> {
        let larder = self.before.as_ref().ok_or("no other build was given (--before)")?;
        self.run(larder, &larder_config(backend, "1GiB"))
    }

    fn run(&self, larder: &Path, text: &str) -> Fallible<(Process, SocketAddr)> {
        let log = self.log("larder", process::free_address()?);
        let config = log.with_extension("toml");
        fs::write(&config, text)?;
        let arguments = ["serve", "--config", &config.to_string_lossy()].map(str::to_owned);
        let mut process = Process::spawn(Core::Server, larder, &arguments, log)?;
        let address = process.wait_until(listening)?;
        process.wait_for(address)?;
        Ok((process, address))
    }

    /// Starts Redis, empty, on `core`.
    pub(crate) fn redis(&self, core: Core) -> Fallible<(Process, SocketAddr)> {
        let redis = program("redis-server").ok_or("redis-server is not installed")?;
        let address = process::free_address()?;
        let folder = self.scratch.path().to_string_lossy();
        let text =
            format!("--bind 127.0.0.1 --port {} --save --appendonly no --dir {folder}", address.port());
        let arguments: Vec<_> = text.split(' ').map(str::to_owned).collect();
        let mut process = Process::spawn(core, &redis, &arguments, self.log("redis", address))?;
        process.wait_for(address)?;
        Ok((process, address))
    }

    fn haproxy(&self, backend: SocketAddr) -> Fallible<(Process, SocketAddr)> {
        let haproxy = program("haproxy").ok_or("haproxy is not installed")?;
        let address = process::free_address()?;
        let config = self.scratch.path().join("haproxy.cfg");
        fs::write(
            &config,
            format!(
                "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  \
             timeout server 1h\nfrontend calls\n  bind {address}\n  default_backend echo\nbackend echo\n  server echo {backend}\n"
            ),
        )?;
        let arguments = ["-db", "-f", &config.to_string_lossy()].map(str::to_owned);
        let mut process = Process::spawn(Core::Server, &haproxy, &arguments, self.log("haproxy", address))?;
        process.wait_for(address)?;
        Ok((process, address))
    }

    fn envoy(&self, backend: SocketAddr) -> Fallible<(Process, SocketAddr)> {
        let envoy = self.envoy_program().ok_or("envoy is not installed (benches/peers.sh)")?;
        let address = process::free_address()?;
        let config = self.scratch.path().join("envoy.yaml");
        let text = include_str!("envoy.yaml")
            .replace("LISTEN_PORT", &address.port().to_string())
            .replace("BACKEND_PORT", &backend.port().to_string());
        fs::write(&config, text)?;
        let path = config.to_string_lossy();
        let arguments =
            ["-c", &path, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"].map(str::to_owned);
        let mut process = Process::spawn(Core::Server, &envoy, &arguments, self.log("envoy", address))?;
        process.wait_for(address)?;
        Ok((process, address))
    }

    /// The binary itself where the Python package lies: its `envoy` command is a script around it.
    fn envoy_program(&self) -> Option<PathBuf> {
        let versions = fs::read_dir(self.peers.join("lib")).into_iter().flatten().flatten();
        let packaged = versions.map(|version| version.path().join("site-packages/envoy/_bin/envoy"));
        packaged.into_iter().find(|path| path.exists()).or_else(|| program("envoy"))
    }

    fn log(&self, name: &str, address: SocketAddr) -> PathBuf {
        self.scratch.path().join(format!("{name}-{}.log", address.port()))
    }
}

impl Field {
    /// Starts those of `wanted` (all when empty) that are installed. Redis and the million keys only where a cell uses them.
    pub(crate) fn start(place: &Place, wanted: &[Name], cells: &[Cell]) -> Fallible<Self> {
        let (backend, behind) = place.echo(Core::Client)?;
        let mut field =
            Self { contestants: Vec::new(), missing: Vec::new(), _backend: backend, behind: None };
        for name in Name::value_variants().iter().copied() {
            let unused = name == Name::Million && !cells.contains(&Cell::USUAL);
            if unused || !(wanted.is_empty() || wanted.contains(&name)) {
                continue;
            }
            let started = match name {
                Name::Echo => place.echo(Core::Server),
                Name::Hit | Name::Translated | Name::Passed | Name::TranslatedPassed => {
                    place.larder(behind, "1GiB")
                }
                Name::HitBefore | Name::PassedBefore => place.before(behind),
                Name::Marked => place.marked(behind),
                Name::Observed => place.observing(behind),
                Name::Million => place.larder(behind, "2GiB"),
                Name::Haproxy => place.haproxy(behind),
                Name::Envoy => place.envoy(behind),
                Name::Redis => place.redis(Core::Server),
                Name::Shared => field.redis(place).and_then(|redis| place.sharing(behind, redis)),
                Name::Fetch => field.redis(place).and_then(|redis| place.fetch(redis)),
            };
            match started {
                Ok((process, address)) => {
                    let values = if name == Name::Fetch { field.redis(place)? } else { address };
                    let (ids, filled) = (Rc::new(Ids::zipf(name.keys())), HashSet::new());
                    field.contestants.push(Contestant { name, process, address, values, ids, filled });
                }
                Err(fault) => field.missing.push(format!("{}: {fault}", name.title())),
            }
        }
        Ok(field)
    }

    /// Where the Redis is that others fetch from. It shares its core with the load.
    fn redis(&mut self, place: &Place) -> Fallible<SocketAddr> {
        if self.behind.is_none() {
            self.behind = Some(place.redis(Core::Client)?);
        }
        self.behind.as_ref().map(|(_, address)| *address).ok_or_else(|| "it was just started".into())
    }
}

impl Contestant {
    /// Whether this server is measured in `cell`: a million keys are, once, in the usual one.
    pub(crate) fn takes(&self, cell: Cell) -> bool {
        self.name != Name::Million || cell == Cell::USUAL
    }

    pub(crate) fn load(&self, cell: Cell) -> Load {
        let order = if self.name == Name::Envoy { Order::Any } else { Order::Kept };
        Load { address: self.address, speech: self.name.speech(), order, cell, ids: Rc::clone(&self.ids) }
    }

    /// Puts every key's value of `size` bytes where hits come from.
    pub(crate) fn fill(&mut self, size: usize) -> Fallible<()> {
        if !self.filled.insert(size) {
            return Ok(());
        }
        match self.name {
            Name::Redis | Name::Fetch => fill_redis(self.values, self.name.keys(), size),
            Name::Marked => {
                // Before what they would cover is kept: so they are in force, and cover nothing that answers.
                self.call_each(Speech::Thrift(call::MARKING), size)?;
                self.call_each(self.name.speech(), size)
            }
            Name::Hit | Name::HitBefore | Name::Translated | Name::Million | Name::Shared => {
                self.call_each(self.name.speech(), size)
            }
            Name::Echo
            | Name::Passed
            | Name::PassedBefore
            | Name::TranslatedPassed
            | Name::Observed
            | Name::Haproxy
            | Name::Envoy => Ok(()),
        }
    }

    /// Calls once for each key.
    fn call_each(&self, speech: Speech, size: usize) -> Fallible<()> {
        let cell = Cell { connections: 16, depth: 16, size };
        Load { speech, ids: Rc::new(Ids::each(self.name.keys())), ..self.load(cell) }.fill()
    }
}

fn fill_redis(address: SocketAddr, keys: u32, size: usize) -> Fallible<()> {
    let mut stream = TcpStream::connect(address)?;
    let mut calls = Vec::new();
    for id in (0..keys).map(u64::from) {
        let key = call::redis_key(id, size);
        write!(calls, "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${size}\r\n", key.len())?;
        call::write_body(id, size, &mut calls);
        calls.extend_from_slice(b"\r\n");
        stream.write_all(&calls)?;
        calls.clear();
        let mut stored = [0; 5];
        stream.read_exact(&mut stored)?;
        if stored != *b"+OK\r\n" {
            return Err("Redis stores nothing".into());
        }
    }
    Ok(())
}

fn sharing_config(backend: SocketAddr, redis: SocketAddr) -> String {
    let text = larder_config(backend, "64MiB").replace("max_reply", "tiers = [\"shared\"]\nmax_reply");
    format!("{text}\n[cache.shared]\nurl = \"redis://{redis}\"\nmax_writes = 20000\n")
}

fn marked_config(backend: SocketAddr) -> String {
    let text = larder_config(backend, "1GiB").replace("max_reply", "tags = [\"user:{1}\"]\nmax_reply");
    format!(
        "{text}\n[rules.\"UserService.{}\"]\ninvalidates = [\"user:{{1}}\"]\nsettle = \"0s\"\n",
        call::MARKING
    )
}

/// The address of the `listening` event in Larder's log, once it is ready.
fn listening(log: &str) -> Option<SocketAddr> {
    let events: Vec<serde_json::Value> =
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said = |message: &str| events.iter().find(|event| event["message"] == message);
    said("ready")?;
    said("listening")?["address"].as_str()?.parse().ok()
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn larder_config(backend: SocketAddr, capacity: &str) -> String {
    include_str!("larder.toml").replace("BACKEND", &backend.to_string()).replace("CAPACITY", capacity)
}

const SYSTEM_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];
