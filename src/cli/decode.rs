//! `larder decode`: bytes as people read them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value as Json};

use super::USAGE;
use super::schema::schema;
use crate::decode::{self, Found, Kept, KeptReply, Message, Names, Said};
use crate::idl::value::Said as Reply;

/// Which bytes, and who knows what they mean.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Where the bytes are: messages as they go over the wire, or a value out of Redis; as they are, or as hexadecimal digits. Without it, or
    /// with -, they come from standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The bytes themselves as hexadecimal digits.
    #[arg(long, value_name = "DIGITS", conflicts_with = "file")]
    hex: Option<String>,
    /// The IDL that names fields. Without it they are called by their ids and types.
    #[arg(long, value_name = "FILE")]
    idl: Option<PathBuf>,
    /// A folder in which files that the IDL includes are looked for; may be given several times.
    #[arg(short = 'I', long = "idl-path", value_name = "DIR", requires = "idl")]
    idl_paths: Vec<PathBuf>,
    /// The service that methods without prefix belong to, where the IDL has several that do not agree.
    #[arg(long, value_name = "SERVICE", requires = "idl")]
    service: Option<String>,
    /// Prints a JSON object in each line.
    #[arg(long)]
    json: bool,
}

/// What could be read, and why the rest could not, with the exit code.
pub(super) fn run(arguments: &Arguments) -> (String, Result<String, (String, u8)>) {
    let (bytes, names) = match given(arguments) {
        Ok(given) => given,
        Err(why) => return (String::new(), Err((why, USAGE))),
    };
    let (found, rest) = decode::decode(&bytes, &names);
    let told = found.iter().map(|found| told(found, arguments.json)).collect::<Vec<_>>();
    let rest = rest.map_or_else(|| Ok(String::new()), |error| Err((error.to_string(), 1)));
    (told.join(if arguments.json { "" } else { "\n" }), rest)
}

/// What is to be read, and by which names.
fn given(arguments: &Arguments) -> Result<(Bytes, Names), String> {
    let idl = arguments.idl.as_deref().map(|idl| schema(idl, &arguments.idl_paths)).transpose()?;
    let names = Names::new(idl, arguments.service.clone()).map_err(|unknown| unknown.to_string())?;
    let bytes = match (&arguments.hex, &arguments.file) {
        (Some(digits), _) => digits_of(digits.as_bytes())
            .ok_or("the argument of --hex has something else than pairs of hexadecimal digits")?,
        (None, Some(file)) if file.as_os_str() != "-" => {
            let opened = File::open(file).and_then(read);
            plain(opened.map_err(|error| format!("cannot read {}: {error}", file.display()))?)
        }
        (None, _) => {
            plain(read(io::stdin().lock()).map_err(|error| format!("cannot read standard input: {error}"))?)
        }
    };
    match bytes.len() {
        0 => Err("there is nothing to decode".to_owned()),
        BYTES_MAX.. => Err(format!("there are more than {BYTES_MAX} bytes to decode")),
        _ => Ok((bytes.into(), names)),
    }
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(2 * BYTES_MAX as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes, or those that they spell: nothing that is read here begins with a digit.
fn plain(bytes: Vec<u8>) -> Vec<u8> {
    digits_of(&bytes).unwrap_or(bytes)
}

/// The bytes that hexadecimal digits spell, with blanks and colons between them.
fn digits_of(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let digits = text.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b':');
    let digits = digits.map(|byte| char::from(*byte).to_digit(16)).collect::<Option<Vec<_>>>()?;
    let (pairs, left) = digits.as_chunks();
    left.is_empty().then(|| pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}

fn told(found: &Found, json: bool) -> String {
    match found {
        _ if json => {
            serde_json::to_string(found).map_or_else(|error| format!("{error}\n"), |line| line + "\n")
        }
        Found::Message(message) => message_told(message),
        Found::Kept(kept) => kept_told(kept),
    }
}

fn message_told(message: &Message) -> String {
    let Message { kind, name, seqid, transport, protocol, bytes, says } = message;
    let (transport, protocol) = (transport.as_str(), protocol.as_str());
    let head =
        format!("{kind} {}, seqid {seqid}, {transport} {protocol}, {bytes} bytes", name.escape_debug());
    format!("{head}: {}\n", said(says))
}

fn kept_told(kept: &Kept) -> String {
    let Kept { backend, method, born, call, identity, reply } = kept;
    let mut text =
        format!("{} of backend {}, asked at {born}\n", method.escape_debug(), backend.escape_debug());
    let _ = writeln!(text, "call: {}", said(call));
    if let Some(identity) = identity {
        let _ = writeln!(text, "made as: {identity}");
    }
    match reply {
        None => text.push_str("removed: nothing that was asked before may come back\n"),
        Some(KeptReply { protocol, bytes, version, says, .. }) => {
            let _ = writeln!(text, "reply: {}", said(says));
            let protocol = protocol.as_str();
            let _ = writeln!(text, "{protocol}, {bytes} bytes, asked at version {version} of the marks");
        }
    }
    text
}

fn said(says: &Said) -> String {
    match says {
        Said::Arguments(fields) | Said::Fields(fields) | Said::Reply(Reply::Undeclared(fields)) => {
            object(fields)
        }
        Said::Reply(Reply::Result(value)) => format!("{value:#}"),
        Said::Reply(Reply::Nothing) => "no field".to_owned(),
        Said::Reply(Reply::Thrown { field, kind, value }) => format!("{kind} ({field}) {value:#}"),
        Said::Failed { kind, message } => format!("TApplicationException {kind}: {}", message.escape_debug()),
        Said::Unreadable(why) => format!("unreadable: {why}"),
    }
}

fn object(fields: &Map<String, Json>) -> String {
    format!("{:#}", Json::Object(fields.clone()))
}

/// Bytes that are read at most: the longest message, and what else may lie about it.
const BYTES_MAX: usize = 128 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_the_ways_in_which_tools_print_them() {
        for text in ["8001000a", "0x8001000A", "80 01 00 0a\n", "80:01:00:0a"] {
            assert_eq!(plain(text.into()), [0x80, 1, 0, 10], "{text}");
        }
        for text in [&b"LRD"[..], b"800", b"\x80\x01", b"xy"] {
            assert_eq!(plain(text.into()), text, "{text:?}");
        }
    }
}
