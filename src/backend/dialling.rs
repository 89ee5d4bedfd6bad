//! How a connection to an endpoint is opened: dialled, and inside TLS where its backend speaks that.

use std::io;
use std::sync::Arc;

use super::endpoint::Endpoint;
use crate::dial::{self, Address, Refusal, Stream};
use crate::tls::{Flaw, Name};

impl Endpoint {
    /// Opens a connection. It is not bounded in time: the caller brings the deadline.
    pub(super) async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        let stream = match &self.address {
            Address::Network(address) => self.means.dial.dial(*address).await?,
            Address::Socket(path) => Box::new(dial::local(path).await?),
        };
        match &self.proves {
            None => Ok(stream),
            Some(name) => self.encrypt(name.clone(), stream).await,
        }
    }

    async fn encrypt(
        &self,
        name: Result<Name, Flaw>,
        stream: Box<dyn Stream>,
    ) -> io::Result<Box<dyn Stream>> {
        let tls = self.means.settings().tls.clone();
        // A reload may have taken it away, and the endpoint with it.
        let tls = tls.ok_or_else(|| io::Error::other("its backend speaks no tls any more"))?;
        let spoken = tls.speak(name.map_err(io::Error::other)?, stream).await;
        let untrusted = spoken.as_ref().err().filter(|error| Refusal::of(error) == Refusal::Untrusted);
        self.untrusted.store(untrusted.map(|error| Arc::new(error.to_string())));
        Ok(Box::new(spoken?))
    }
}
