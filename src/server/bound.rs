//! Every address of a gateway, bound before anything starts.

use std::net::SocketAddr;
use std::path::Path;

use super::StartError;
use super::watch::{Doors, Runtime};
use crate::accept::{Accept, Bind, Bound as _, Local};
use crate::config::Config;

/// Every address of a gateway but its listeners', before anything starts.
pub(super) struct Bound<A> {
    pub(super) admin: Doors<A>,
    pub(super) invalidation: Option<(SocketAddr, A)>,
}

impl<A: Accept> Bound<A> {
    /// Binds all that `config` names. The admin endpoint's are for the runtime that it is served on.
    pub(super) fn of<B: Bind<Socket = A>>(
        config: &Config,
        network: &B,
        watch: &Runtime,
    ) -> Result<Self, StartError> {
        let invalidation = config.invalidation.as_ref();
        let invalidation = invalidation
            .map(|settings| bind(network, "the invalidation service", INVALIDATION, settings.bind))
            .transpose()?;
        let _entered = watch.enter();
        let network = bind(network, "the admin endpoint", ADMIN, config.admin.bind)?;
        // Last: what another gateway has put there is replaced, and is not to be while a port is taken.
        let local = config.admin.socket.as_deref().map(local).transpose()?;
        let tls = config.admin.tls.clone();
        Ok(Self { admin: Doors { network, tls, local }, invalidation })
    }
}

/// Binds `what` to an address, or to a socket that was given under `name`, and says where it is.
pub(super) fn bind<B: Bind>(
    network: &B,
    what: &str,
    name: &str,
    address: SocketAddr,
) -> Result<(SocketAddr, B::Socket), StartError> {
    let error = |source| StartError::Bind { what: what.to_owned(), address: address.into(), source };
    let socket = network.bind(name, address).map_err(error)?;
    let address = socket.address().map_err(error)?;
    Ok((address, socket))
}

fn local(path: &Path) -> Result<Local, StartError> {
    Local::bind(path).map_err(|source| StartError::Socket { path: path.to_owned(), source })
}

/// What the invalidation service's socket is called by who gives it.
const INVALIDATION: &str = "invalidation";
/// What the admin endpoint's socket is called by who gives it.
const ADMIN: &str = "admin";
