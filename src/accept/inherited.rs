//! Listening sockets that a service manager opened before it started this process, as `sd_listen_fds(3)` describes.

use std::env;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use tracing::warn;

use super::sockets::{Given, Sockets};

/// The sockets that `LISTEN_FDS` counts, if `LISTEN_PID` names this process or nobody, with their names in `LISTEN_FDNAMES`. What is no
/// listening TCP socket is left alone, which the log tells. To be called once, before there is a second thread.
pub(crate) fn inherited() -> Sockets {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut sockets = ListenFd::from_env();
    let mut names = names.split(':').map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()));
    let mut given = Vec::new();
    for index in 0..sockets.len() {
        let name = names.next().flatten();
        match sockets.take_tcp_listener(index).and_then(listening) {
            Ok(Some(socket)) => given.push(Given { name, ..socket }),
            Ok(None) => {}
            Err(error) => {
                warn!(index, %error, "what was given in place of a listening TCP socket is not used")
            }
        }
    }
    Sockets::having(given)
}

fn listening(socket: Option<TcpListener>) -> io::Result<Option<Given>> {
    let Some(socket) = socket else { return Ok(None) };
    if !socket_acceptconn(&socket)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    Ok(Some(Given { name: None, address: socket.local_addr()?, socket, is_kept: true }))
}
