//! The end of TLS that opens connections: whom to believe, and who we are.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, client};

use super::papers::{Flaw, Identity, Papers, Part};
use super::provider;
use super::renewing::{Renewable, Renewing};
use super::stream::Encrypted;
use crate::dial::{Stream, Unproven};

/// The name of a host, or its address.
pub(crate) type Name = ServerName<'static>;

/// How to speak TLS to servers, which are always verified. Clones are renewed together.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    ours: Arc<Renewing<ClientConfig>>,
    /// The name that certificates must be for, where it is not the host's.
    name: Option<Name>,
}

impl Client {
    /// Makes it of `papers`; without an authority those are believed whom the system trusts. Servers prove to be called `name`, or else as
    /// their host is.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn new(papers: Papers, name: Option<&str>) -> Result<Self, Flaw> {
        let ours = Arc::new(Renewing::new(papers, config)?);
        Ok(Self { ours, name: name.map(host).transpose()? })
    }

    /// What a server at `host` must prove to be.
    ///
    /// # Errors
    /// If that is no name of a host.
    pub(crate) fn proves(&self, host: &str) -> Result<Name, Flaw> {
        self.name.as_ref().map_or_else(|| self::host(host), |name| Ok(name.clone()))
    }

    /// Speaks TLS on `stream` with who is to prove to be `name`.
    ///
    /// # Errors
    /// The other end proves to be nobody whom we believe, or not `name`, or speaks no TLS; or the connection ends.
    pub(crate) async fn speak(
        &self,
        name: Name,
        stream: Box<dyn Stream>,
    ) -> io::Result<Encrypted<client::TlsStream<Box<dyn Stream>>>> {
        let connector = TlsConnector::from(self.ours.config());
        let spoken = connector.connect(name, stream).await;
        spoken.map(Encrypted::new).map_err(unproven)
    }

    /// By which it is made anew when its files hold others.
    pub(crate) fn renewable(&self) -> Arc<dyn Renewable> {
        Arc::clone(&self.ours) as Arc<dyn Renewable>
    }
}

/// What the library says of whoever is there, and what to do where it says that in no words of an operator's.
fn unproven(error: io::Error) -> io::Error {
    let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(why) = said.map(ToString::to_string) else { return error };
    let hint = if why.contains(AUTHORITY_ITSELF) { AUTHORITY_HINT } else { "" };
    io::Error::new(error.kind(), Unproven(format!("{why}{hint}")))
}

fn host(name: &str) -> Result<Name, Flaw> {
    let known = ServerName::try_from(name.to_owned());
    known.map_err(|_| Flaw::new(Part::Name, format!("{name:?} is no name of a host, nor an address")))
}

fn config(papers: &Papers) -> Result<ClientConfig, Flaw> {
    let roots = papers.authorities()?.map_or_else(trusted, Ok)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Flaw::new(Part::Authority, error.to_string()))?
        .with_root_certificates(roots);
    let Some(identity) = papers.identity()? else { return Ok(builder.with_no_client_auth()) };
    let (chain, key, file) = identity.into_parts();
    builder.with_client_auth_cert(chain, key).map_err(|error| Identity::mismatch(&file, &error))
}

/// Whom the system trusts.
fn trusted() -> Result<RootCertStore, Flaw> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read leaves the others; that none can is told.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Flaw::new(Part::Authority, "the system trusts no certificate: name a file"));
    }
    Ok(roots)
}

/// What the library says of a certificate that may sign others and is shown as a server's own.
const AUTHORITY_ITSELF: &str = "CaUsedAsEndEntity";
/// Such as `openssl req -x509` makes, which other libraries take.
const AUTHORITY_HINT: &str = ": it is the certificate of an authority and no server's; sign one by it, or make it anew with basicConstraints=CA:FALSE";
