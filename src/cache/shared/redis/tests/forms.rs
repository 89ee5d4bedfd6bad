//! Ways to a real server other than plain TCP: TLS and sockets in the file system.

use std::fs;
use std::path::Path;

use super::server::Server;
use super::*;
use crate::tls::signing::{Authority, Signed, pem};
use crate::tls::{self, Client};

/// What an authority has signed.
struct Papers {
    authority: Authority,
    signed: Signed,
}

fn sign(name: &str) -> Papers {
    let authority = Authority::new();
    let signed = authority.sign(name);
    Papers { authority, signed }
}

/// A server that speaks TLS, on a port of its own beside its plain one; whoever connects must be signed too if `mutual`.
fn serve(papers: &Papers, folder: &Path, mutual: bool) -> (Server, Place) {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ca, certificate, key) = (
        file("ca", &papers.authority.pem()),
        file("certificate", &papers.signed.certificate),
        file("key", &papers.signed.key),
    );
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

/// Whether the server there is reached by who believes this authority, shows this, and asks for this name.
async fn reaches(place: &Place, believed: &Authority, shown: Option<&Signed>, name: Option<&str>) -> bool {
    let papers = shown.map(|signed| signed.papers(None)).unwrap_or_default();
    let papers = tls::Papers { authority: pem("ca", &believed.pem()), ..papers };
    let tls = Client::new(papers, name).unwrap();
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
    let papers = sign("127.0.0.1");
    let (_server, place) = serve(&papers, folder.path(), false);
    assert!(reaches(&place, &papers.authority, None, None).await);
    assert!(
        !reaches(&place, &papers.authority, None, Some("redis.internal")).await,
        "signed for another name"
    );
    assert!(!reaches(&place, &Authority::new(), None, None).await, "signed by another");
}

#[tokio::test]
async fn a_server_may_have_another_name_and_want_to_know_ours() {
    let folder = tempfile::tempdir().unwrap();
    let papers = sign("redis.internal");
    let (_server, place) = serve(&papers, folder.path(), true);
    let name = Some("redis.internal");
    assert!(reaches(&place, &papers.authority, Some(&papers.signed), name).await);
    assert!(!reaches(&place, &papers.authority, None, name).await, "we are nobody");
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
