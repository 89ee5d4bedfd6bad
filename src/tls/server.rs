//! The end of TLS that accepts connections: who we are, and who may come.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server};

use super::papers::{Flaw, Identity, Papers, Part};
use super::provider;
use super::renewing::{Renewable, Renewing};
use super::stream::Encrypted;

/// How to speak TLS to clients. Clones are renewed together.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    ours: Arc<Renewing<ServerConfig>>,
}

/// A client's connection inside TLS.
pub(crate) type Accepted<S> = Encrypted<server::TlsStream<S>>;

impl Server {
    /// Makes it of `papers`, for Thrift. With an authority, clients show a certificate that it has signed.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn new(papers: Papers) -> Result<Self, Flaw> {
        Ok(Self { ours: Arc::new(Renewing::new(papers, config)?) })
    }

    /// The same for HTTP.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn http(papers: Papers) -> Result<Self, Flaw> {
        Ok(Self { ours: Arc::new(Renewing::new(papers, http_config)?) })
    }

    /// Speaks TLS on `stream`. To be bounded in time by whoever waits for it.
    ///
    /// # Errors
    /// The client speaks no TLS, or none of ours, or has no certificate where one is asked for, or does not believe ours; or the
    /// connection ends.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<Accepted<S>> {
        TlsAcceptor::from(self.ours.config()).accept(stream).await.map(Encrypted::new)
    }

    /// By which it is made anew when its files hold others.
    pub(crate) fn renewable(&self) -> Arc<dyn Renewable> {
        Arc::clone(&self.ours) as Arc<dyn Renewable>
    }
}

fn config(papers: &Papers) -> Result<ServerConfig, Flaw> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Flaw::new(Part::Certificate, error.to_string()))?;
    let builder = match papers.authorities()? {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            let verifier = verifier.map_err(|error| Flaw::new(Part::Authority, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let missing = || Flaw::new(Part::Certificate, "a certificate and its key are needed");
    let (chain, key, file) = papers.identity()?.ok_or_else(missing)?.into_parts();
    builder.with_single_cert(chain, key).map_err(|error| Identity::mismatch(&file, &error))
}

fn http_config(papers: &Papers) -> Result<ServerConfig, Flaw> {
    let mut config = config(papers)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
