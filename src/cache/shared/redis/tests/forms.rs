//! Ways to a real server other than plain TCP: TLS and sockets in the file system.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::server::Server;
use super::*;

/// Certificates and keys, as files and as text.
struct Signed {
    ca: String,
    certificate: String,
    key: String,
}

/// What an authority of the test's own signs for `name`.
fn sign(name: &str) -> Signed {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    // One that is called as what it signs would be taken for the same.
    authority.distinguished_name.push(DnType::CommonName, "the test's authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    Signed { ca: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// A server that speaks TLS, on a port of its own beside its plain one; whoever connects must be signed too if `mutual`.
fn serve(signed: &Signed, folder: &Path, mutual: bool) -> (Server, Place) {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ca, certificate, key) =
        (file("ca", &signed.ca), file("certificate", &signed.certificate), file("key", &signed.key));
    let port = server::free_port();
    let mutual = if mutual { "yes" } else { "no" };
    let server = Server::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-ca-cert-file",
        &ca,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        mutual,
    ]);
    (server, Place::Host("127.0.0.1".to_owned(), port))
}

async fn reaches(place: &Place, papers: &Papers) -> bool {
    let tls = Tls::new(papers).unwrap();
    let store = gateway_at(place.clone(), |settings| settings.tls = Some(tls)).await;
    if store.is_up() {
        store.keeps(born(NOW)).await;
        assert_eq!(store.get(KEY).await, Some(born(NOW)));
    }
    store.is_up()
}

#[tokio::test]
async fn a_server_is_believed_that_our_authority_signed_for_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign("127.0.0.1");
    let (_server, place) = serve(&signed, folder.path(), false);
    let ca = Some(signed.ca.clone());
    assert!(reaches(&place, &Papers { ca: ca.clone(), ..Papers::default() }).await);
    let name = Some("redis.internal".to_owned());
    assert!(!reaches(&place, &Papers { ca, name, ..Papers::default() }).await, "signed for another name");
    let ca = Some(sign("127.0.0.1").ca);
    assert!(!reaches(&place, &Papers { ca, ..Papers::default() }).await, "signed by another");
}

#[tokio::test]
async fn a_server_may_have_another_name_and_want_to_know_ours() {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign("redis.internal");
    let (_server, place) = serve(&signed, folder.path(), true);
    let (ca, name) = (Some(signed.ca.clone()), Some("redis.internal".to_owned()));
    let identity = Some((signed.certificate.clone(), Secret::new(signed.key.clone())));
    assert!(reaches(&place, &Papers { ca: ca.clone(), identity, name: name.clone() }).await);
    assert!(!reaches(&place, &Papers { ca, identity: None, name }).await, "we are nobody");
}

#[test]
fn what_is_wrong_with_papers_is_said() {
    let signed = sign("a");
    let flaw = |papers: Papers| Tls::new(&papers).unwrap_err();
    let (ca, name) = (Some(signed.ca.clone()), Some("no name".to_owned()));
    assert!(matches!(flaw(Papers { ca: Some("text".into()), ..Papers::default() }), TlsError::Authority(_)));
    assert!(matches!(flaw(Papers { ca: ca.clone(), name, identity: None }), TlsError::Name(_)));
    let with = |certificate: &str, key: &str| {
        let identity = Some((certificate.to_owned(), Secret::new(key.to_owned())));
        flaw(Papers { ca: ca.clone(), identity, name: None })
    };
    assert!(matches!(with("text", &signed.key), TlsError::Certificate(_)));
    assert!(matches!(with(&signed.certificate, "text"), TlsError::Key(_)));
    assert!(matches!(with(&signed.certificate, &sign("a").key), TlsError::Key(_)), "of another certificate");
}

#[tokio::test]
async fn a_server_is_reached_by_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let mut server = Server::start_with(&["--unixsocket", socket.to_str().unwrap()]);
    let store = gateway_at(Place::Socket(socket), |_| {}).await;
    store.keeps(born(NOW)).await;
    assert_eq!(store.get(KEY).await, Some(born(NOW)));
    server.kill();
    until("the server is left", || !store.is_up()).await;
}
