//! Both ends of TLS against each other, and what is wrong with papers.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::signing::{Authority, Signed, pem};
use super::*;
use crate::clock::Millis;

fn server(signed: &Signed, clients: Option<&Authority>) -> Server {
    Server::new(signed.papers(clients)).unwrap()
}

fn client(believed: &Authority, shown: Option<&Signed>) -> Client {
    let papers = shown.map(|signed| signed.papers(None)).unwrap_or_default();
    Client::new(Papers { authority: pem("ca.pem", &believed.pem()), ..papers }, None).unwrap()
}

/// Has the client write a word which the server reads: what either comes to.
async fn meet(client: &Client, server: &Server, host: &str) -> (Result<(), String>, Result<(), Failed>) {
    let (near, far) = duplex(64 << 10);
    let name = client.proves(host).unwrap();
    let speaking = async {
        let mut stream = client.speak(name, Box::new(near)).await.map_err(|error| error.to_string())?;
        stream.write_all(b"word").await.unwrap();
        stream.flush().await.unwrap();
        stream.read_u8().await.map(drop).map_err(|error| error.to_string())
    };
    tokio::join!(speaking, hear(server, far))
}

async fn hear(server: &Server, far: DuplexStream) -> Result<(), Failed> {
    let mut stream = server.accept(far).await.map_err(|error| Failed::of(&error))?;
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    stream.write_all(b"!").await.unwrap();
    stream.flush().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn who_proves_to_be_the_host_is_spoken_to() {
    let authority = Authority::new();
    let server = server(&authority.sign("users.example"), None);
    assert_eq!(meet(&client(&authority, None), &server, "users.example").await, (Ok(()), Ok(())));
    let (told, heard) = meet(&client(&authority, None), &server, "orders.example").await;
    assert!(told.unwrap_err().contains("not valid for name \"orders.example\""));
    assert!(matches!(heard, Err(Failed::Refused(_))), "{heard:?}");
    let (told, heard) = meet(&client(&Authority::new(), None), &server, "users.example").await;
    assert!(told.unwrap_err().contains("UnknownIssuer"));
    assert!(matches!(heard, Err(Failed::Refused(_))), "{heard:?}");
}

#[tokio::test]
async fn what_has_expired_is_refused_by_name() {
    let authority = Authority::new();
    let server = server(&authority.sign_until("users.example", 2020), None);
    let (told, _) = meet(&client(&authority, None), &server, "users.example").await;
    assert!(told.unwrap_err().contains("expired"));
}

/// What `openssl req -x509` makes is an authority's certificate, and a server's to other libraries.
#[tokio::test]
async fn who_shows_an_authoritys_own_certificate_is_told_what_to_do() {
    let authority = Authority::new();
    let (told, _) = meet(&client(&authority, None), &server(&authority.shown(), None), "users.example").await;
    let told = told.unwrap_err();
    assert!(told.contains("make it anew with basicConstraints=CA:FALSE"), "{told}");
}

#[tokio::test]
async fn where_clients_need_certificates_nobody_else_is_let_in() {
    let authority = Authority::new();
    let (own, stranger) = (authority.sign("client"), Authority::new().sign("client"));
    let server = server(&authority.sign("users.example"), Some(&authority));
    let host = "users.example";
    assert_eq!(meet(&client(&authority, Some(&own)), &server, host).await, (Ok(()), Ok(())));
    assert_eq!(meet(&client(&authority, None), &server, host).await.1, Err(Failed::Nameless));
    let (_, heard) = meet(&client(&authority, Some(&stranger)), &server, host).await;
    assert!(matches!(heard, Err(Failed::Unbelieved(_))), "{heard:?}");
}

#[tokio::test]
async fn what_is_no_tls_is_told_from_who_only_leaves() {
    let server = server(&Authority::new().sign("users.example"), None);
    let (mut near, far) = duplex(1024);
    near.write_all(b"\x80\x01\x00\x01\x00\x00\x00\x07getUser").await.unwrap();
    assert_eq!(hear(&server, far).await, Err(Failed::Plain));
    let (near, far) = duplex(1024);
    drop(near);
    assert_eq!(hear(&server, far).await, Err(Failed::Left));
}

#[tokio::test]
async fn an_end_without_a_farewell_is_an_end() {
    let authority = Authority::new();
    let server = server(&authority.sign("users.example"), None);
    let (near, far) = duplex(64 << 10);
    let client = client(&authority, None);
    let speaking = async {
        let name = client.proves("users.example").unwrap();
        client.speak(name, Box::new(near)).await.unwrap().read_u8().await.unwrap();
    };
    let heard = async {
        let mut stream = server.accept(far).await.unwrap();
        stream.write_all(b"!").await.unwrap();
        stream.read(&mut [0]).await.unwrap()
    };
    assert_eq!(tokio::join!(speaking, heard).1, 0);
}

#[test]
fn what_is_wrong_with_papers_is_said_with_the_file() {
    let authority = Authority::new();
    let signed = authority.sign("a");
    let (certificate, key) = (pem("certificate.pem", &signed.certificate), pem("key.pem", &signed.key));
    let flaw = |papers: Papers| {
        let flaw = Client::new(papers, None).unwrap_err();
        (flaw.part, flaw.to_string())
    };
    let no_authority = flaw(Papers { authority: pem("ca.pem", "text"), ..Papers::default() });
    assert_eq!(no_authority, (Part::Authority, "ca.pem: holds no certificate".to_owned()));
    let with =
        |certificate, key| flaw(Papers { authority: pem("ca.pem", &authority.pem()), certificate, key });
    assert_eq!(with(pem("c.pem", "text"), key).0, Part::Certificate);
    let no_key = with(certificate.clone(), pem("key.pem", "text"));
    assert!(no_key.1.starts_with("key.pem: holds no private key"), "{no_key:?}");
    let other = with(certificate, pem("other.pem", &authority.sign("a").key));
    assert!(
        other.0 == Part::Key && other.1.starts_with("other.pem: is no key of the certificate"),
        "{other:?}"
    );
    let name = Client::new(
        Papers { authority: pem("ca.pem", &authority.pem()), ..Papers::default() },
        Some("no name"),
    );
    assert_eq!(name.unwrap_err().part, Part::Name);
}

#[test]
fn a_chain_ends_with_its_first_certificate_and_belief_with_its_last_authority() {
    let authority = Authority::new();
    let (soon, late) = (authority.sign_until("a", 2030), authority.sign_until("b", 2040));
    let chain = format!("{}{}", late.certificate, soon.certificate);
    let papers =
        |signed: &Signed| Papers { certificate: pem("chain.pem", &chain), ..signed.papers(Some(&authority)) };
    let expiries = papers(&late).expiries();
    let new_year = Millis(1_893_456_000_000);
    assert_eq!((expiries[0].at, expiries[0].left(new_year)), (new_year, 0.0));
    assert_eq!(expiries[0].left(Millis(new_year.0 + 1_500)), -1.5);
    assert!(expiries[1].at > expiries[0].at && expiries.len() == 2);
}
