//! Certificates and keys of an authority of the test's own, as files.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// A folder of certificates, all for this machine, and who signs them.
pub(crate) struct Papers {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Papers {
    /// With an authority, whose certificate is `ca.pem`.
    pub(crate) fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // One that is called as another would be taken for that.
        let name = format!("the authority of {}", folder.path().display());
        authority.distinguished_name.push(DnType::CommonName, name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self { folder, authority }
    }

    /// Where a file is.
    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    /// Signs anew what `NAME.pem`, `NAME.key` and `NAME.both` hold.
    pub(crate) fn issue(&self, name: &str) {
        self.issue_for(name, &["127.0.0.1", "localhost"], 4000);
    }

    /// The same for other names, until a year begins.
    pub(crate) fn issue_for(&self, name: &str, hosts: &[&str], year: i32) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let (certificate, key) =
            (params.signed_by(&key, &self.authority).unwrap().pem(), key.serialize_pem());
        self.write(&format!("{name}.both"), &format!("{certificate}{key}"));
        self.write(&format!("{name}.pem"), &certificate);
        self.write(&format!("{name}.key"), &key);
    }

    /// Puts another authority's files in the place of `NAME.pem`, `NAME.key` and `NAME.both`.
    pub(crate) fn take_from(&self, other: &Self, name: &str) {
        for kind in ["pem", "key", "both"] {
            let file = format!("{name}.{kind}");
            self.write(&file, &fs::read_to_string(other.path(&file)).unwrap());
        }
    }

    /// As whoever renews certificates should: a file is replaced as a whole.
    fn write(&self, file: &str, text: &str) {
        let beside = PathBuf::from(self.path(&format!("{file}.new")));
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.path(file)).unwrap();
    }

    /// What has a listener or the admin endpoint show a certificate.
    pub(crate) fn shown(&self, name: &str) -> String {
        format!(
            "tls = {{ certificate = '{}', key = '{}' }}",
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key"))
        )
    }

    /// The same, where clients are to show one too.
    pub(crate) fn shown_to_ours(&self, name: &str) -> String {
        self.shown(name).replace(" }", &format!(", client_ca = '{}' }}", self.path("ca.pem")))
    }

    /// What has a backend be believed.
    pub(crate) fn believed(&self) -> String {
        format!("tls = {{ ca = '{}' }}", self.path("ca.pem"))
    }
}
