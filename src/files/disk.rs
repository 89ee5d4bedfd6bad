//! Files on the system's disks.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::{Files, LENGTH_MAX};

/// The system's disks. A disk that hangs holds up who waits for it, and no thread that serves calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Vec<u8>>> {
        let path = path.to_owned();
        Box::pin(async move { spawn_blocking(move || read(&path)).await? })
    }

    fn replace<'a>(&'a self, path: &'a Path, content: Vec<u8>) -> BoxFuture<'a, io::Result<()>> {
        let path = path.to_owned();
        Box::pin(async move { spawn_blocking(move || replace(&path, &content)).await? })
    }

    fn append<'a>(&'a self, path: &'a Path, content: Vec<u8>) -> BoxFuture<'a, io::Result<()>> {
        let path = path.to_owned();
        Box::pin(async move { spawn_blocking(move || append(&path, &content)).await? })
    }
}

fn append(path: &Path, content: &[u8]) -> io::Result<()> {
    File::options().append(true).create(true).mode(0o640).open(path)?.write_all(content)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LENGTH_MAX + 1).read_to_end(&mut content)?;
    match content.len() as u64 > LENGTH_MAX {
        true => {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {LENGTH_MAX} bytes")))
        }
        false => Ok(content),
    }
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let beside = beside(path);
    let replaced = write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if replaced.is_err() {
        // What went wrong is said; that nothing may be left behind of it is not more to say.
        let _ = fs::remove_file(&beside);
        return replaced;
    }
    // The name is on the disk only when its folder is.
    File::open(folder)?.sync_all()
}

/// Writes a file down to the disk, so that a name given to it later never stands for half of it.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    // What clients were told is nobody else's.
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A name in the same folder that no other process writes to.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}
