//! TLS to Redis: whom to believe, and who we are.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio_rustls::TlsConnector;

use crate::dial::Stream;

use crate::setting::Secret;

/// How to speak TLS. Servers are always verified.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// The name that certificates must be for, where it is not the host's.
    name: Option<ServerName<'static>>,
}

/// What TLS is made of, each as the text of a PEM file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Papers {
    /// Who signs servers' certificates. Without it, whom the system trusts.
    pub ca: Option<String>,
    /// Our certificate, its own first, and its private key.
    pub identity: Option<(String, Secret)>,
    /// The name that servers' certificates must be for, where it is not the host's.
    pub name: Option<String>,
}

/// What is wrong with the papers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TlsError {
    /// No certificate of an authority.
    #[error("{0}")]
    Authority(String),
    /// No certificate of ours.
    #[error("{0}")]
    Certificate(String),
    /// No key, or one of another certificate.
    #[error("{0}")]
    Key(String),
    /// No name.
    #[error("{0:?} is no name of a host")]
    Name(String),
}

impl Tls {
    /// Makes it of `papers`.
    ///
    /// # Errors
    /// What is wrong with them. No text of a file is repeated.
    pub(crate) fn new(papers: &Papers) -> Result<Self, TlsError> {
        let roots = roots(papers.ca.as_deref())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Authority(error.to_string()))?
            .with_root_certificates(roots);
        let config = match &papers.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate).map_err(TlsError::Certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
                    .map_err(|error| TlsError::Key(format!("no private key: {error}")))?;
                let paired = builder.with_client_auth_cert(chain, key);
                paired.map_err(|error| TlsError::Key(error.to_string()))?
            }
        };
        let name = papers
            .name
            .as_ref()
            .map(|name| ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name.clone())));
        Ok(Self { config: Arc::new(config), name: name.transpose()? })
    }

    /// Speaks TLS on `stream` with who is to prove that it is `host`.
    ///
    /// # Errors
    /// The other end proves to be nobody whom we believe, or not `host`; or the connection ends.
    pub(super) async fn speak(&self, host: &str, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

fn roots(ca: Option<&str>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(text) => {
            for certificate in certificates(text).map_err(TlsError::Authority)? {
                roots.add(certificate).map_err(|error| TlsError::Authority(error.to_string()))?;
            }
        }
        None => {
            // One that cannot be read leaves the others; that none can is told.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::Authority("the system trusts no certificate: give tls_ca".to_owned()));
            }
        }
    }
    Ok(roots)
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|error| error.to_string())?;
    if all.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(all) }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}
