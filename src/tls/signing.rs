//! Certificates of the tests' own making.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData, date_time_ymd,
};

use super::{Papers, Pem};
use crate::setting::Secret;

/// Who signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as text.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        let key = KeyPair::generate().unwrap();
        // One that is called as another, or as what it signs, would be taken for that.
        let name = format!("an authority of the tests {:?}", &key.der_bytes()[..8]);
        authority.distinguished_name.push(DnType::CommonName, name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(authority, key).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its own certificate and key, as a server shows them that has made both itself.
    pub(crate) fn shown(&self) -> Signed {
        Signed { certificate: self.0.pem(), key: self.0.key().serialize_pem() }
    }

    /// What it signs for `name`.
    pub(crate) fn sign(&self, name: &str) -> Signed {
        self.sign_until(name, 4000)
    }

    /// What it signs for `name`, which expires when that year begins.
    pub(crate) fn sign_until(&self, name: &str, year: i32) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A file that holds this.
pub(crate) fn pem(path: &str, text: &str) -> Option<Pem> {
    Some(Pem { path: PathBuf::from(path), text: Secret::new(text.to_owned()) })
}

impl Signed {
    /// What an end is made of that shows this, and believes whom `authority` has signed.
    pub(crate) fn papers(&self, authority: Option<&Authority>) -> Papers {
        Papers {
            authority: authority.and_then(|authority| pem("ca.pem", &authority.pem())),
            certificate: pem("certificate.pem", &self.certificate),
            key: pem("key.pem", &self.key),
        }
    }
}
