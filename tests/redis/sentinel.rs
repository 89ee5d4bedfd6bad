//! A primary with two replicas, and the three sentinels that watch them.

use super::server::{Server, settles};

/// The primary is the first when it starts.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) servers: Vec<Server>,
    pub(crate) sentinels: Vec<Server>,
}

impl Watch {
    /// Starts them, the servers with these arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let primary = Server::start_with(arguments);
        let port = primary.port.to_string();
        let replica = || Server::start_with(&[arguments, &["--replicaof", "127.0.0.1", &port]].concat());
        let servers = vec![replica(), replica()];
        let sentinels = (0..3).map(|_| sentinel(primary.port)).collect();
        let watch = Self { servers: [primary].into_iter().chain(servers).collect(), sentinels };
        let known = |info: String| info.contains("slaves=2,sentinels=3");
        for sentinel in &watch.sentinels {
            settles("a sentinel knows all", || known(sentinel.ask(redis::cmd("INFO").arg("sentinel"))));
        }
        for replica in &watch.servers[1..] {
            settles("a replica has its primary", || replication(replica).contains("master_link_status:up"));
        }
        watch
    }

    /// Which of the servers are primaries.
    pub(crate) fn primaries(&self) -> Vec<usize> {
        let living = self.servers.iter().enumerate().filter(|(_, server)| !server.is_gone());
        living.filter(|(_, server)| replication(server).contains("role:master")).map(|(at, _)| at).collect()
    }

    /// Which of the servers a sentinel names as the primary.
    pub(crate) fn named(&self) -> Option<usize> {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER);
        let living = self.sentinels.iter().filter(|sentinel| !sentinel.is_gone());
        let (_, port): (String, u16) = living.filter_map(|sentinel| sentinel.try_ask(&ask).ok()).next()?;
        self.servers.iter().position(|server| server.port == port)
    }

    /// Tells the sentinels to put another in the primary's place.
    pub(crate) fn fail_over(&self) -> redis::RedisResult<()> {
        self.sentinels[0].try_ask(redis::cmd("SENTINEL").arg("FAILOVER").arg(MASTER))
    }
}

/// What sentinels call the primary.
pub(crate) const MASTER: &str = "larder";

fn sentinel(primary: u16) -> Server {
    Server::sentinel(&format!(
        "sentinel monitor {MASTER} 127.0.0.1 {primary} 2\nsentinel down-after-milliseconds {MASTER} 500\n\
         sentinel failover-timeout {MASTER} 3000\n"
    ))
}

fn replication(server: &Server) -> String {
    server.try_ask(redis::cmd("INFO").arg("replication")).unwrap_or_default()
}
