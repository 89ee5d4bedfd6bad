//! The admin endpoint's thread: it answers however much there is to do for clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use futures_util::future::join;
use tokio::runtime::{self, Builder, EnterGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::{StartError, Watch};
use crate::accept::{Accept, Local};
use crate::admin::{self, Means, Subject};
use crate::purge::authority::Authority;
use crate::tls::Server;

/// What the admin endpoint runs on; nothing of its own where it runs beside all else.
#[derive(Debug)]
pub(super) struct Runtime(Option<runtime::Runtime>);

/// Where the admin endpoint is asked.
pub(super) struct Doors<A> {
    pub(super) network: (SocketAddr, A),
    /// What is spoken there.
    pub(super) tls: Option<Server>,
    /// In the file system.
    pub(super) local: Option<Local>,
}

impl Runtime {
    pub(super) fn new(watch: Watch) -> Result<Self, StartError> {
        let own = match watch {
            Watch::Beside => None,
            Watch::Apart => {
                Some(Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?)
            }
        };
        Ok(Self(own))
    }

    /// As long as the guard lives, what is bound is for this runtime.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(runtime::Runtime::enter)
    }

    /// Serves the endpoint until told to stop. Who comes through the file system is known by that, all others show what `authority` asks for.
    pub(super) fn serve<S: Subject>(
        mut self,
        Doors { network: (address, network), tls, local }: Doors<impl Accept>,
        means: Arc<Means<S>>,
        authority: Authority,
        (tasks, stop): (&TaskTracker, &CancellationToken),
    ) -> Result<(), StartError> {
        info!(%address, tls = tls.is_some(), "admin listening");
        let network = admin::serve((network, tls), Arc::clone(&means), authority, stop.clone());
        let stop = stop.clone();
        let local = async move {
            if let Some(local) = local {
                admin::serve((local, None), means, Authority::Anybody, stop).await;
            }
        };
        let serving = async {
            join(network, local).await;
        };
        match self.0.take() {
            None => drop(tasks.spawn(serving)),
            Some(own) => {
                let serving = tasks.track_future(serving);
                let thread = thread::Builder::new().name("admin".to_owned());
                thread.spawn(move || own.block_on(serving)).map_err(StartError::Thread)?;
            }
        }
        Ok(())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // A start that failed leaves one on which nothing runs, and may be asked from a task, where waiting for its end is not allowed.
        if let Some(own) = self.0.take() {
            own.shutdown_background();
        }
    }
}
