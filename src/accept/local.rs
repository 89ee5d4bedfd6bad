//! Sockets in the file system, at which only processes of the gateway's own user ask.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::Asker;

/// A socket in the file system. Its file goes with it, unless another gateway has put its own there.
#[derive(Debug)]
pub(crate) struct Local {
    listener: UnixListener,
    path: PathBuf,
    file: Option<File>,
}

/// What tells one file from another that has its name.
type File = (u64, u64);

impl Local {
    /// Listens at `path`. What another gateway has left there is replaced, and nothing else.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::from_std(listen(path)?)?;
        Ok(Self { listener, path: path.to_owned(), file: file(path) })
    }

    /// The next connection, and whose it is. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// What the system says; most often that no file descriptor is left.
    pub(crate) async fn accept(&self) -> io::Result<(UnixStream, Asker)> {
        let (stream, _) = self.listener.accept().await?;
        let asker = stream
            .peer_cred()
            .map_or(Asker::Unknown, |known| Asker::Process { user: known.uid(), process: known.pid() });
        Ok((stream, asker))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.file.is_some() && file(&self.path) == self.file {
            // Who finds it left over is refused, as where there is none.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket that listens at `path`, where only the gateway's own user may ask. What another gateway has left there is replaced, and nothing
/// else.
///
/// # Errors
/// What the system says.
pub(super) fn listen(path: &Path) -> io::Result<net::UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    // It gets its name when nobody else may use it any more.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let _ = fs::remove_file(beside);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(beside)?)?;
    fs::set_permissions(beside, Permissions::from_mode(0o600))?;
    socket.listen(WAITING_MAX)?;
    fs::rename(beside, path)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn file(path: &Path) -> Option<File> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Connections that the system holds until they are accepted.
const WAITING_MAX: i32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial;

    #[tokio::test]
    async fn its_own_user_alone_may_ask_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let local = Local::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (dialled, accepted) = tokio::join!(dial::local(&path), local.accept());
        let (_client, (_stream, asker)) = (dialled.unwrap(), accepted.unwrap());
        let user = fs::metadata(&path).unwrap().uid();
        assert_eq!(asker, Asker::Process { user, process: Some(std::process::id() as i32) });
        drop(local);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_the_next_gateway_has_put_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let old = Local::bind(&path).unwrap();
        let new = Local::bind(&path).unwrap();
        drop(old);
        let (dialled, accepted) = tokio::join!(dial::local(&path), new.accept());
        assert!(dialled.is_ok() && accepted.is_ok());
        let other = folder.path().join("larder.toml");
        fs::write(&other, "").unwrap();
        assert_eq!(Local::bind(&other).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
