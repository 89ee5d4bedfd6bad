//! Sockets in the file system, at which processes of this machine ask.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::{Accept, Asker};
use crate::dial;
use crate::setting::Mode;

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
    /// Listens at `path`, where only the gateway's own user may ask. What another gateway has left there is replaced, and nothing else.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        Self::of(path, listen(path)?)
    }

    /// Listens at `path`, where those may ask whom `mode` lets write. What is left there of one that has ended is replaced; and so, if it
    /// `relieves` another gateway, is where that one listens.
    ///
    /// # Errors
    /// What the system says; where somebody listens already, [`io::ErrorKind::AddrInUse`].
    pub(crate) fn open(path: &Path, mode: Mode, relieves: bool) -> io::Result<Self> {
        if !relieves && dial::is_heard(path) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Self::of(path, listen_as(path, mode, CLIENTS_WAITING_MAX)?)
    }

    fn of(path: &Path, socket: net::UnixListener) -> io::Result<Self> {
        Ok(Self { listener: UnixListener::from_std(socket)?, path: path.to_owned(), file: file(path) })
    }
}

impl Accept for Local {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Asker)> {
        let (stream, _) = self.listener.accept().await?;
        let asker = asker(&stream);
        Ok((stream, asker))
    }

    fn waiting(&self) -> Option<(UnixStream, Asker)> {
        let (stream, _) = SockRef::from(&self.listener).accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        let stream = UnixStream::from_std(stream.into()).ok()?;
        let asker = asker(&stream);
        Some((stream, asker))
    }

    fn prepare(_: &UnixStream) {}
}

fn asker(stream: &UnixStream) -> Asker {
    let known = stream.peer_cred();
    known.map_or(Asker::Unknown, |known| Asker::Process { user: known.uid(), process: known.pid() })
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
    listen_as(path, Mode::OWN_USER, WAITING_MAX)
}

fn listen_as(path: &Path, mode: Mode, waiting: i32) -> io::Result<net::UnixListener> {
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
    fs::set_permissions(beside, Permissions::from_mode(mode.bits()))?;
    socket.listen(waiting)?;
    fs::rename(beside, path)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn file(path: &Path) -> Option<File> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Connections that the system holds until they are accepted.
const WAITING_MAX: i32 = 16;
/// The same where clients call.
const CLIENTS_WAITING_MAX: i32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

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
    async fn where_somebody_listens_nobody_else_does_who_does_not_relieve_him() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let mode: Mode = "0660".parse().unwrap();
        let one = Local::open(&path, mode, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(Local::open(&path, mode, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let other = Local::open(&path, mode, true).unwrap();
        // Who looked whether somebody listens has come and gone.
        assert!(one.waiting().is_some() && one.waiting().is_none());
        let _client = net::UnixStream::connect(&path).unwrap();
        assert!(one.waiting().is_none() && other.waiting().is_some());
        drop(one);
        assert!(path.exists(), "it is the other's");
    }

    #[tokio::test]
    async fn what_is_left_of_one_that_has_ended_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(net::UnixListener::bind(&path).unwrap());
        let local = Local::open(&path, Mode::OWN_USER, false).unwrap();
        let (dialled, accepted) = tokio::join!(dial::local(&path), local.accept());
        assert!(dialled.is_ok() && accepted.is_ok());
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
