//! Whom a command believes that asks inside TLS, and what it shows.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::USAGE;
use super::admin::Admin;
use crate::setting::Secret;
use crate::tls::{Client, Papers, Pem};

/// Files of certificates and a key.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Trust {
    /// Who signs the certificate of whoever is asked inside TLS, such as an admin endpoint named as https://ADDR: a PEM file. Without it, whom
    /// the system trusts.
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// The certificate that is shown there, if one is asked for: a PEM file.
    #[arg(long, value_name = "FILE", global = true, requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its private key: a PEM file.
    #[arg(long, value_name = "FILE", global = true, requires = "client_cert")]
    client_key: Option<PathBuf>,
}

impl Trust {
    /// The endpoint, with what these files hold.
    ///
    /// # Errors
    /// What is wrong with the files, or that they are of no use there, and the exit code.
    pub(super) fn lend(&self, admin: &Admin) -> Result<Admin, (String, u8)> {
        let admin = admin.clone();
        if self.ca.is_none() && self.client_cert.is_none() {
            return Ok(admin);
        }
        let papers = self.papers().map_err(|why| (why, USAGE))?;
        admin.with(papers).map_err(|error| (error.to_string(), USAGE))
    }

    /// How TLS is spoken by them.
    ///
    /// # Errors
    /// What is wrong with the files, and the exit code.
    pub(super) fn client(&self) -> Result<Client, (String, u8)> {
        let client =
            self.papers().and_then(|papers| Client::new(papers, None).map_err(|flaw| flaw.to_string()));
        client.map_err(|why| (why, USAGE))
    }

    fn papers(&self) -> Result<Papers, String> {
        let pem = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        let (certificate, key) = (pem(&self.client_cert)?, pem(&self.client_key)?);
        Ok(Papers { authority: pem(&self.ca)?, certificate, key })
    }
}

fn read(path: &Path) -> Result<Pem, String> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(Pem { path: path.to_owned(), text: Secret::new(text) })
}
