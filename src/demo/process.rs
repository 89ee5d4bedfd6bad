//! The sample backends as processes: started, killed, and started again where they were.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A sample backend. Dropping this kills it with SIGKILL, and it ends by itself if this process dies without that: the pipe to its
/// standard input closes then.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Process {
    /// Starts one and waits until it accepts connections; with port 0 at a free one.
    pub(super) async fn start(port: u16) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["demo-backend", "--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut process = Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        let silent = || io::Error::other("a sample backend did not come up");
        let output = process.child.stdout.take().ok_or_else(silent)?;
        let first = spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        });
        let line = timeout(PATIENCE, first).await.map_err(|_| silent())?.map_err(io::Error::other)??;
        process.address = line.trim().parse().map_err(|_| silent())?;
        Ok(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, as everything that hears a Ctrl-C in the terminal does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a sample backend may take to start on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);
