//! Recorded messages of thriftpy2 and Apache Python, and what no reader takes, through every function that is fuzzed.
//!
//! A file's folder says what it is: `PROTOCOL/framed`, `unframed` (one message), `pipelined` (three calls), `refused`.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use larder::cache::envelope::Codec;
use larder::config::Config;
use larder::idl::Schema;
use larder::key::Ignored;
use larder::key::canonical::Canonical;
use larder::wire::detect::detect;
use larder::wire::inbound::{Inbound, Look};
use larder::wire::message::Message;
use larder::wire::walk::Walk;
use larder::wire::{Bounds, Protocol, Speech, Transport, WireError};

const PROTOCOLS: [Protocol; 2] = [Protocol::Binary, Protocol::Compact];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The files below a folder of the corpus. An empty folder is a mistake.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    gather(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "nothing in {folder}");
    found
}

fn gather(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn parse(protocol: Protocol, bytes: &[u8]) -> Result<Message<'_>, WireError> {
    Message::parse(protocol, bytes, &mut Walk::new(protocol, 0, 0, 64))
}

/// The messages of a stream that arrives byte by byte, each without its frame's length.
fn stream(transport: Transport, protocol: Protocol, bytes: &[u8]) -> Result<Vec<Vec<u8>>, WireError> {
    let mut inbound = Inbound::new(Speech { transport, protocol }, Bounds::default());
    let (mut found, mut start) = (Vec::new(), 0);
    let before = if transport == Transport::Framed { 4 } else { 0 };
    for (index, byte) in bytes.iter().enumerate() {
        inbound.room().extend_from_slice(&[*byte]);
        if inbound.first()? == Look::Whole {
            found.push(bytes[start + before..=index].to_vec());
            start = index + 1;
            inbound.skip();
        }
    }
    Ok(found)
}

fn form(protocol: Protocol, body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let put = Canonical::new(64).put(protocol, body, &Ignored::default(), &mut out);
    put.is_ok().then_some(out)
}

#[test]
fn each_message_is_read() {
    for protocol in PROTOCOLS {
        for (path, bytes) in files(&format!("{}/unframed", protocol.as_str())) {
            let message = parse(protocol, &bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(form(protocol, message.body).is_some(), "{path}");
            assert_eq!(detect(&bytes), Ok(Some((Transport::Unframed, protocol))), "{path}");
            assert_eq!(stream(Transport::Unframed, protocol, &bytes), Ok(vec![bytes]), "{path}");
        }
        for (path, bytes) in files(&format!("{}/framed", protocol.as_str())) {
            assert!(parse(protocol, &bytes[4..]).is_ok(), "{path}");
            assert_eq!(detect(&bytes), Ok(Some((Transport::Framed, protocol))), "{path}");
            let found = stream(Transport::Framed, protocol, &bytes);
            assert_eq!(found, Ok(vec![bytes[4..].to_vec()]), "{path}");
        }
    }
}

#[test]
fn pipelined_calls_are_told_apart() {
    for protocol in PROTOCOLS {
        for (path, bytes) in files(&format!("{}/pipelined", protocol.as_str())) {
            let (transport, _) = detect(&bytes).unwrap().unwrap();
            let found = stream(transport, protocol, &bytes).unwrap();
            assert_eq!(found.len(), 3, "{path}");
            assert!(found.iter().all(|message| parse(protocol, message).is_ok()), "{path}");
        }
    }
}

#[test]
fn what_no_reader_takes_is_refused() {
    for protocol in PROTOCOLS {
        for (path, bytes) in files(&format!("{}/refused", protocol.as_str())) {
            assert!(parse(protocol, &bytes).is_err(), "{path}");
        }
    }
}

#[test]
fn a_call_has_one_form_whoever_wrote_it() {
    for call in ["getUser_call", "touch_oneway"] {
        let mut forms = Vec::new();
        for protocol in PROTOCOLS {
            for (path, bytes) in files(&format!("{}/unframed", protocol.as_str())) {
                if path.ends_with(&format!("{call}.bin")) {
                    forms.push(form(protocol, parse(protocol, &bytes).unwrap().body).unwrap());
                }
            }
        }
        assert!(forms.len() >= 6, "{} of {call}", forms.len());
        forms.dedup();
        assert_eq!(forms.len(), 1, "{call}");
    }
}

#[test]
fn nothing_in_the_corpus_panics_anywhere() {
    for (_, bytes) in files("") {
        for protocol in PROTOCOLS {
            let _ = parse(protocol, &bytes);
            let _ = form(protocol, &bytes);
            let _ = stream(Transport::Framed, protocol, &bytes);
            let _ = stream(Transport::Unframed, protocol, &bytes);
        }
        let _ = detect(&bytes);
        let _ = Codec::default().decode(b"key", &Bytes::copy_from_slice(&bytes));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = Schema::load(Path::new("any.thrift"), |_| Ok(text.clone()));
        let _ = Config::load(Path::new("any.toml"), &|_| Ok(text.clone()), &|_| None);
    }
}
