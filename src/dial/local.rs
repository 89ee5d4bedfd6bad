//! Connections to other processes of this machine.

use std::io;
use std::os::unix::net;
use std::path::Path;

use tokio::net::UnixStream;

/// Connects to whoever listens on the socket that lies at `path` in the file system.
///
/// # Errors
/// What the system says; where nobody listens, [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`].
pub(crate) async fn local(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// Whether anybody listens on the socket that lies at `path` in the file system.
pub(crate) fn is_heard(path: &Path) -> bool {
    net::UnixStream::connect(path).is_ok()
}
