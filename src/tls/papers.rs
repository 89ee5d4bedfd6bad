//! Certificates and keys as PEM files give them, and until when they are good.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use x509_parser::parse_x509_certificate;

use crate::clock::Millis;
use crate::files::Files;
use crate::setting::Secret;

/// A PEM file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pem {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds, which may be a key.
    pub text: Secret,
}

/// What one end of TLS is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Papers {
    /// Who signs the certificates of the other end.
    pub authority: Option<Pem>,
    /// The certificate that is shown, its own first, and behind it those up to its authority's.
    pub certificate: Option<Pem>,
    /// Its private key.
    pub key: Option<Pem>,
}

/// Which of the papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Who is believed.
    Authority,
    /// What is shown.
    Certificate,
    /// The key to that.
    Key,
    /// The name that the other end is to prove.
    Name,
}

/// What is wrong with one of the papers. No text of a file is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct Flaw {
    /// Which of them.
    pub part: Part,
    message: String,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The gateway shows it.
    Shown,
    /// It is an authority's, by which others' are verified.
    Believed,
}

/// The end of what a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// What its certificates are for.
    pub role: Role,
    /// The file.
    pub path: PathBuf,
    /// When the first of a chain expires, or the last of the authorities: from then on nobody is believed.
    pub at: Millis,
}

impl Expiry {
    /// How many seconds are left of it at `now`; less than none once it has expired.
    pub(crate) fn left(&self, now: Millis) -> f64 {
        self.at.since(now).as_secs_f64() - now.since(self.at).as_secs_f64()
    }
}

impl Role {
    /// The word for it in metrics and the status.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Believed => "believed",
        }
    }
}

impl Flaw {
    /// That a part is wrong, and how.
    pub(crate) fn new(part: Part, message: impl Into<String>) -> Self {
        Self { part, message: message.into() }
    }

    fn of(part: Part, pem: &Pem, why: impl std::fmt::Display) -> Self {
        Self::new(part, format!("{}: {why}", pem.path.display()))
    }
}

impl Papers {
    /// The same files, with what they hold when they are read once more.
    ///
    /// # Errors
    /// Why one of them cannot be read.
    pub(super) async fn read_again(&self, files: &dyn Files) -> Result<Self, String> {
        let mut again = self.clone();
        let all = [&mut again.authority, &mut again.certificate, &mut again.key];
        for pem in all.into_iter().flatten() {
            let unread = |why: String| format!("{}: {why}", pem.path.display());
            let content = files.read(&pem.path).await.map_err(|error| unread(error.to_string()))?;
            let text = String::from_utf8(content).map_err(|error| unread(error.to_string()))?;
            pem.text = Secret::new(text);
        }
        Ok(again)
    }

    /// What is shown to the other end, if anything is.
    ///
    /// # Errors
    /// If a file holds no certificate, or no key.
    pub(super) fn identity(&self) -> Result<Option<Identity>, Flaw> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(None) };
        let chain = certificates(certificate, Part::Certificate)?;
        let read = PrivateKeyDer::from_pem_slice(key.text.reveal().as_bytes());
        let read =
            read.map_err(|error| Flaw::of(Part::Key, key, format!("holds no private key: {error}")))?;
        Ok(Some(Identity { chain, key: read, file: key.path.clone() }))
    }

    /// Who is believed; nobody is named without a file.
    ///
    /// # Errors
    /// If the file holds no certificate of an authority.
    pub(super) fn authorities(&self) -> Result<Option<RootCertStore>, Flaw> {
        let Some(pem) = &self.authority else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem, Part::Authority)? {
            roots.add(certificate).map_err(|error| Flaw::of(Part::Authority, pem, error))?;
        }
        Ok(Some(roots))
    }

    /// Until when what they hold is good. What cannot be told has no end.
    pub(super) fn expiries(&self) -> Vec<Expiry> {
        let shown = self.certificate.iter().filter_map(|pem| {
            let at = ends(pem, Part::Certificate).into_iter().min()?;
            Some(Expiry { role: Role::Shown, path: pem.path.clone(), at })
        });
        let believed = self.authority.iter().filter_map(|pem| {
            let at = ends(pem, Part::Authority).into_iter().max()?;
            Some(Expiry { role: Role::Believed, path: pem.path.clone(), at })
        });
        shown.chain(believed).collect()
    }
}

/// A certificate with those behind it, and its key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Where the key lies.
    file: PathBuf,
}

impl Identity {
    /// That its key is of no use for its certificate.
    pub(super) fn mismatch(file: &Path, error: &rustls::Error) -> Flaw {
        Flaw::new(Part::Key, format!("{}: is no key of the certificate: {error}", file.display()))
    }

    /// Its parts, and where the key lies.
    pub(super) fn into_parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, PathBuf) {
        (self.chain, self.key, self.file)
    }
}

fn certificates(pem: &Pem, part: Part) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let all = CertificateDer::pem_slice_iter(pem.text.reveal().as_bytes()).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|error| Flaw::of(part, pem, error))?;
    if all.is_empty() { Err(Flaw::of(part, pem, "holds no certificate")) } else { Ok(all) }
}

fn ends(pem: &Pem, part: Part) -> Vec<Millis> {
    let all = certificates(pem, part).unwrap_or_default();
    let end = |certificate: &CertificateDer<'_>| {
        let (_, read) = parse_x509_certificate(certificate).ok()?;
        let seconds = u64::try_from(read.validity().not_after.timestamp()).unwrap_or_default();
        Some(Millis(seconds.saturating_mul(1000)))
    };
    all.iter().filter_map(end).collect()
}
