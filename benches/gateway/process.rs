//! Server processes: pinned to one core, read for their CPU time and memory, killed with their owner.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Fallible;

/// The server measured has a core of its own; client and backends share the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    Server,
    Client,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// CPU time a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// User and system, of the threads that live, in nanoseconds.
    pub(crate) total: u64,
    /// In clock ticks: coarse, good for their proportion only.
    pub(crate) user: u64,
    pub(crate) system: u64,
}

impl Core {
    fn number(self) -> &'static str {
        match self {
            Self::Server => "0",
            Self::Client => "1",
        }
    }
}

impl Process {
    /// Starts `command` on `core`, its output in `log`.
    pub(crate) fn spawn(core: Core, program: &Path, arguments: &[String], log: PathBuf) -> Fallible<Self> {
        let output = File::create(&log)?;
        let child = Command::new("taskset")
            .args(["-c", core.number()])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|fault| format!("taskset {}: {fault}", program.display()))?;
        Ok(Self { child, log })
    }

    /// Waits until `address` accepts.
    pub(crate) fn wait_for(&mut self, address: SocketAddr) -> Fallible<()> {
        self.wait_until(|_| TcpStream::connect(address).ok()).map(drop)
    }

    /// Waits until `seen` finds in the log what it looks for.
    pub(crate) fn wait_until<T>(&mut self, seen: impl Fn(&str) -> Option<T>) -> Fallible<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = seen(&self.log()) {
                return Ok(found);
            }
            if self.child.try_wait()?.is_some() || start.elapsed() > START_LIMIT {
                return Err(format!("a server did not start:\n{}", self.log()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub(crate) fn cpu(&self) -> Fallible<Cpu> {
        let folder = format!("/proc/{}", self.child.id());
        let mut total = 0;
        for task in fs::read_dir(format!("{folder}/task"))? {
            // A thread may end between the listing and the reading.
            let run = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            total += run.split(' ').next().unwrap_or_default().parse().unwrap_or(0);
        }
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("/proc/PID/stat has no name")?;
        let tick =
            |field: usize| fields.split(' ').nth(field).and_then(|ticks| ticks.parse().ok()).unwrap_or(0);
        // Fields 14 and 15 of proc(5), counted from the third.
        Ok(Cpu { total, user: tick(11), system: tick(12) })
    }

    /// VmRSS in KiB.
    pub(crate) fn resident(&self) -> Fallible<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cpu {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            total: self.total - before.total,
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}

/// Binds this process to `core`.
pub(crate) fn pin_self(core: Core) -> Fallible<()> {
    let pinned = Command::new("taskset")
        .args(["-a", "-p", "-c", core.number(), &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()
        .map_err(|fault| format!("taskset (of util-linux): {fault}"))?;
    if pinned.success() { Ok(()) } else { Err("two cores are needed, one for the server alone".into()) }
}

/// A loopback port nobody listens on.
pub(crate) fn free_address() -> Fallible<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

const START_LIMIT: Duration = Duration::from_secs(20);
