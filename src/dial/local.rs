//! Connections to other processes of this machine.

use std::io;
use std::path::Path;

use tokio::net::UnixStream;

/// Connects to whoever listens on the socket that lies at `path` in the file system.
///
/// # Errors
/// What the system says; where nobody listens, [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`].
pub(crate) async fn local(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}
