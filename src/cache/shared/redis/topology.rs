//! Which server is asked for a key.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use redis::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Counts;
use super::cluster::Cluster;
use super::door::Door;
use super::failure::{Failure, Setback};
use super::node::{Ask, Node, State};
use super::sentinel::Sentinels;
use super::settings::Form;
use super::supervisor::Supervisor;
use super::whereabouts::Whereabouts;

/// The servers that keep replies.
#[derive(Debug)]
pub(super) struct Topology {
    form: Servers,
    /// Whether the first attempt to reach each server has ended.
    tried: watch::Receiver<bool>,
}

#[derive(Debug)]
enum Servers {
    /// One that has all keys.
    One(Arc<Node>),
    /// Many, each of which has some.
    Cluster(Arc<Cluster>),
}

impl Topology {
    /// Begins to look after the servers that the settings name.
    pub(super) fn start(
        door: Arc<Door>,
        counts: &Counts,
        random: impl Rng + Send + 'static,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (tasks, stop) = (tasks.clone(), stop.child_token());
        let settings = Arc::clone(&door.settings);
        let (name, whereabouts) = match &settings.form {
            Form::One(place) => (place.to_string(), Whereabouts::Fixed(place.clone())),
            Form::Sentinel(watched) => {
                let sentinels =
                    Sentinels::new(Arc::clone(&door), watched.clone(), tasks.clone(), stop.clone());
                (watched.master.clone(), Whereabouts::Told(sentinels))
            }
            Form::Cluster(seeds) => {
                let (cluster, tried) =
                    Cluster::start(door, seeds.clone(), counts.clone(), random, tasks, stop);
                return Self { form: Servers::Cluster(cluster), tried };
            }
        };
        let node = Node::new(name, settings.read_timeout, settings.max_writes, counts.clone());
        let node = Arc::new(node);
        let (trying, tried) = watch::channel(false);
        let supervisor = Supervisor {
            door,
            node: Arc::clone(&node),
            whereabouts,
            tried: trying,
            amiss: Arc::default(),
            tasks: tasks.clone(),
        };
        tasks.spawn(supervisor.run(random, stop));
        Self { form: Servers::One(node), tried }
    }

    /// Asks the server that owns `key`, and waits up to `within`; for a large value longer, while it comes.
    pub(super) async fn ask(&self, key: &str, ask: Ask<'_>, within: Duration) -> Result<Value, Failure> {
        match &self.form {
            Servers::Cluster(cluster) => cluster.ask(key, ask, within).await,
            Servers::One(node) => node.ask(ask, false, within).await.map_err(|setback| match setback {
                Setback::Failed(failure) => failure,
                Setback::NoScript | Setback::Elsewhere(_) => Failure::Refused,
            }),
        }
    }

    /// Whether any key can be asked for.
    pub(super) fn is_up(&self) -> bool {
        match &self.form {
            Servers::One(node) => node.is_up(),
            Servers::Cluster(cluster) => cluster.is_up(),
        }
    }

    /// How many servers are not asked.
    pub(super) fn servers_away(&self) -> usize {
        match &self.form {
            Servers::One(node) => usize::from(!node.is_up()),
            Servers::Cluster(cluster) => cluster.servers_away(),
        }
    }

    /// The servers and what they are.
    pub(super) fn servers(&self) -> Vec<(String, State)> {
        match &self.form {
            Servers::One(node) => vec![(node.name.clone(), node.state())],
            Servers::Cluster(cluster) => cluster.servers(),
        }
    }

    /// Ends when the first attempt to reach each server has ended.
    pub(super) async fn tried(&self) {
        let mut tried = self.tried.clone();
        // The other end is dropped only with who tries, and then there is nothing to wait for.
        let _ = tried.wait_for(|tried| *tried).await;
    }
}
