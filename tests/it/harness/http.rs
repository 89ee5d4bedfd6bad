//! The least of HTTP: one request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The status and the body of the page at `path`, or nothing where nobody answers.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    ask(address, ("GET", path), "localhost", "")
}

/// The same, of an endpoint that is asked by this name.
pub(crate) fn get_as(address: SocketAddr, path: &str, host: &str) -> Option<(u16, String)> {
    ask(address, ("GET", path), host, "")
}

/// The status and the body that come back for the order at `path`, or nothing where nobody answers.
pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Option<(u16, String)> {
    ask(address, ("POST", path), "localhost", body)
}

/// The same through a socket in the file system, by any method.
pub(crate) fn ask_locally(socket: &Path, line: (&str, &str), body: &str) -> Option<(u16, String)> {
    exchange(UnixStream::connect(socket).ok()?, line, "localhost", body)
}

fn ask(address: SocketAddr, line: (&str, &str), host: &str, body: &str) -> Option<(u16, String)> {
    exchange(TcpStream::connect(address).ok()?, line, host, body)
}

fn exchange(
    mut stream: impl Read + Write,
    (method, path): (&str, &str),
    host: &str,
    body: &str,
) -> Option<(u16, String)> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some((status, if chunked { joined(body) } else { body.to_owned() }))
}

fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        body.push_str(&rest[..size]);
        chunks = rest[size..].trim_start_matches("\r\n");
    }
    body
}
