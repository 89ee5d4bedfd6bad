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
use crate::accept::{Accept, Bind, Local};
use crate::config::{self, Config};
use crate::dial::Address;
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
    bind: Address,
    address: Address,
    listener: Arc<Listener>,
    /// Told when it is to end.
    stop: CancellationToken,
}

/// Addresses that are bound, by the listeners that are to be served there.
pub(super) type Doors = BTreeMap<String, Box<dyn Door>>;

/// Binds addresses, of whatever type.
trait Network: Debug + Send + Sync {
    fn bind(&self, name: &str, listener: &config::Listener) -> Result<Box<dyn Door>, StartError>;
}

/// A bound address, of whatever type.
pub(super) trait Door: Send {
    /// Where it is.
    fn address(&self) -> Address;
    /// Serves who connects there, until told to stop.
    fn serve(self: Box<Self>, listener: Arc<Listener>, commons: Commons) -> BoxFuture<'static, ()>;
}

impl<B: Bind> Network for B {
    fn bind(&self, name: &str, listener: &config::Listener) -> Result<Box<dyn Door>, StartError> {
        let what = format!("listener {name}");
        match &listener.bind {
            Address::Network(address) => {
                let (address, socket) = bind(self, &what, name, *address)?;
                Ok(Box::new((Address::from(address), socket)))
            }
            Address::Socket(path) => {
                let socket = Local::open(path, listener.socket_mode, self.relieves());
                let error = |source| StartError::Bind { what, address: listener.bind.clone(), source };
                Ok(Box::new((listener.bind.clone(), socket.map_err(error)?)))
            }
        }
    }
}

impl<A: Accept> Door for (Address, A) {
    fn address(&self) -> Address {
        self.0.clone()
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
        let stays = |name: &str, bind: &Address| self.open.get(name).is_some_and(|open| open.bind == *bind);
        let others = config.listeners.iter().filter(|(name, listener)| !stays(name, &listener.bind));
        others.map(|(name, listener)| Ok((name.clone(), self.network.bind(name, listener)?))).collect()
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
                let (stop, bind) = (commons.stop.child_token(), listener.bind.clone());
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

    /// Where each is bound that is bound to an address of a network.
    pub(super) fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.open.iter().filter_map(|(name, open)| Some((name.clone(), open.address.network()?))).collect()
    }
}

impl Open {
    fn end(&self, name: &str) {
        info!(listener = name, address = %self.address, "no longer listening: what was read is answered");
        self.stop.cancel();
    }
}
