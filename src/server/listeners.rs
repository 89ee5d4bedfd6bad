//! The listeners in force: each is bound before anything changes, and served until a reload takes it away.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::StartError;
use super::bound::bind;
use crate::accept::{Accept, Bind};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::listener::{self, Commons, Listener};

/// All listeners, by name.
#[derive(Debug)]
pub(super) struct Listeners {
    network: Box<dyn Network>,
    open: BTreeMap<String, Open>,
}

/// A listener that is served.
#[derive(Debug)]
struct Open {
    /// What the configuration says; its port may be 0.
    bind: SocketAddr,
    address: SocketAddr,
    listener: Arc<Listener>,
    /// Told when it is to end.
    stop: CancellationToken,
}

/// Addresses that are bound, by the listeners that are to be served there.
pub(super) type Doors = BTreeMap<String, Box<dyn Door>>;

/// Binds addresses, of whatever type.
trait Network: Debug + Send + Sync {
    fn bind(&self, name: &str, address: SocketAddr) -> Result<Box<dyn Door>, StartError>;
}

/// A bound address, of whatever type.
pub(super) trait Door: Send {
    /// Where it is.
    fn address(&self) -> SocketAddr;
    /// Serves who connects there, until told to stop.
    fn serve(self: Box<Self>, listener: Arc<Listener>, commons: Commons) -> BoxFuture<'static, ()>;
}

impl<B: Bind> Network for B {
    fn bind(&self, name: &str, address: SocketAddr) -> Result<Box<dyn Door>, StartError> {
        Ok(Box::new(bind(self, &format!("listener {name}"), name, address)?))
    }
}

impl<A: Accept> Door for (SocketAddr, A) {
    fn address(&self) -> SocketAddr {
        self.0
    }

    fn serve(self: Box<Self>, listener: Arc<Listener>, commons: Commons) -> BoxFuture<'static, ()> {
        Box::pin(listener::accept(self.1, listener, commons))
    }
}

impl Listeners {
    /// None yet; they will be bound on this network.
    pub(super) fn new(network: impl Bind) -> Self {
        Self { network: Box::new(network), open: BTreeMap::new() }
    }

    /// Binds what `config` has where none of that name is. Nobody is served there yet.
    ///
    /// # Errors
    /// If an address cannot be bound; then none is.
    pub(super) fn bind(&self, config: &Config) -> Result<Doors, StartError> {
        let stays = |name: &str, bind: SocketAddr| self.open.get(name).is_some_and(|open| open.bind == bind);
        let others = config.listeners.iter().filter(|(name, listener)| !stays(name, listener.bind));
        others.map(|(name, listener)| Ok((name.clone(), self.network.bind(name, listener.bind)?))).collect()
    }

    /// Serves what `config` has, at the `doors` that were bound for it, and has the others end as at a stop.
    pub(super) fn adopt(
        &mut self,
        config: &Config,
        mut doors: Doors,
        gateways: &BTreeMap<String, Arc<Gateway>>,
        commons: &Commons,
    ) {
        for (name, listener) in &config.listeners {
            let (door, settings) = (doors.remove(name), listener.settings.clone());
            if let (Some(door), Some(gateway)) = (door, gateways.get(name)) {
                let address = door.address();
                info!(listener = %name, %address, "listening");
                let (stop, bind) = (commons.stop.child_token(), listener.bind);
                let listener = Arc::new(Listener::new(settings, Arc::clone(gateway)));
                let commons = Commons { stop: stop.clone(), ..commons.clone() };
                commons.tasks.spawn(door.serve(Arc::clone(&listener), commons.clone()));
                let before = self.open.insert(name.clone(), Open { bind, address, listener, stop });
                before.iter().for_each(|before| before.end(name));
            } else if let Some(open) = self.open.get(name) {
                open.listener.obey(settings);
            }
        }
        for (name, open) in self.open.extract_if(.., |name, _| !config.listeners.contains_key(name)) {
            open.end(&name);
        }
    }

    /// Where each is bound.
    pub(super) fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.open.iter().map(|(name, open)| (name.clone(), open.address)).collect()
    }
}

impl Open {
    fn end(&self, name: &str) {
        info!(listener = name, address = %self.address, "no longer listening: what was read is answered");
        self.stop.cancel();
    }
}
