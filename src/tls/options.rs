//! What the config may say of TLS, at either end of a connection.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Client, Flaw, Papers, Part, Pem, Server};
use crate::setting::Finding;

/// TLS to those who connect here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["certificate", "key"]))]
pub(crate) struct ServerOptions {
    /// The certificate that is shown, with those between it and its authority behind it: a PEM file, relative to this file.
    pub certificate: PathBuf,
    /// Its private key: a PEM file, relative to this file.
    pub key: PathBuf,
    /// Who signs the certificates of those who connect: a PEM file, relative to this file. With it, nobody is let in without one.
    #[schemars(extend("x-default" = "nobody needs one"))]
    pub client_ca: Option<PathBuf>,
}

/// TLS to those who are asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClientOptions {
    /// Who signs the certificates of those who are asked: a PEM file, relative to this file.
    #[schemars(extend("x-default" = "whom the system trusts"))]
    pub ca: Option<PathBuf>,
    /// The certificate that the gateway shows, with those between it and its authority behind it: a PEM file, relative to this file.
    pub certificate: Option<PathBuf>,
    /// Its private key: a PEM file, relative to this file.
    pub key: Option<PathBuf>,
    /// The name that certificates must be for.
    #[schemars(extend("x-default" = "the endpoint's host name or address"))]
    pub server_name: Option<String>,
}

impl ServerOptions {
    /// What `make` makes of the files, each of which `read` reads for the option that names it.
    ///
    /// # Errors
    /// What is wrong, and with which option.
    pub(crate) fn server(
        &self,
        read: impl Fn(&'static str, &Path) -> Result<Pem, Finding>,
        make: impl FnOnce(Papers) -> Result<Server, Flaw>,
    ) -> Result<Server, Finding> {
        let client_ca = self.client_ca.as_deref();
        let papers = Papers {
            authority: client_ca.map(|path| read(CLIENT_CA, path)).transpose()?,
            certificate: Some(read(CERTIFICATE, &self.certificate)?),
            key: Some(read(KEY, &self.key)?),
        };
        make(papers).map_err(|flaw| {
            let option = match flaw.part {
                Part::Authority => CLIENT_CA,
                Part::Certificate | Part::Name => CERTIFICATE,
                Part::Key => KEY,
            };
            Finding::new(option, flaw.to_string())
        })
    }
}

impl ClientOptions {
    /// What is made of the files, each of which `read` reads for the option that names it.
    ///
    /// # Errors
    /// What is wrong, and with which option.
    pub(crate) fn client(
        &self,
        read: impl Fn(&'static str, &Path) -> Result<Pem, Finding>,
    ) -> Result<Client, Finding> {
        let one = |option, path: &Option<PathBuf>| path.as_ref().map(|path| read(option, path)).transpose();
        let papers = Papers {
            authority: one(CA, &self.ca)?,
            certificate: one(CERTIFICATE, &self.certificate)?,
            key: one(KEY, &self.key)?,
        };
        Client::new(papers, self.server_name.as_deref()).map_err(|flaw| {
            let option = match flaw.part {
                Part::Authority => CA,
                Part::Certificate => CERTIFICATE,
                Part::Key => KEY,
                Part::Name => SERVER_NAME,
            };
            Finding::new(option, flaw.to_string())
        })
    }

    /// What is wrong although each option by itself is right.
    pub(crate) fn problem(&self) -> Option<Finding> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Some(Finding::new(CERTIFICATE, "needs tls.key")),
            (None, Some(_)) => Some(Finding::new(KEY, "needs tls.certificate")),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";
const CLIENT_CA: &str = "tls.client_ca";
const CA: &str = "tls.ca";
const SERVER_NAME: &str = "tls.server_name";
