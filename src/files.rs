//! The files that a gateway reads and writes while it runs: on the system's disks, or in memory for whoever tries it.

mod disk;
mod memory;

use std::fmt::Debug;
use std::io;
use std::path::Path;

use futures_util::future::BoxFuture;

pub use disk::Disk;
pub use memory::Memory;

/// Small files, each read and replaced as a whole, and those to which only ever more is written.
pub trait Files: Send + Sync + Debug {
    /// What a file holds.
    ///
    /// # Errors
    /// What the system says: a file that is not there is [`io::ErrorKind::NotFound`], one of more than [`LENGTH_MAX`] bytes
    /// [`io::ErrorKind::FileTooLarge`].
    fn read<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Vec<u8>>>;

    /// Replaces what a file holds: whoever reads it, also after a crash, finds all of what it held before or all of this. Folders that
    /// are not there are made.
    ///
    /// # Errors
    /// What the system says; then the file is as it was.
    fn replace<'a>(&'a self, path: &'a Path, content: Vec<u8>) -> BoxFuture<'a, io::Result<()>>;

    /// Writes behind what a file holds, or begins one. It is opened for this alone: who moves it away between two writes finds it whole.
    ///
    /// # Errors
    /// What the system says; a part may have been written.
    fn append<'a>(&'a self, path: &'a Path, content: Vec<u8>) -> BoxFuture<'a, io::Result<()>>;
}

/// The longest file that is read, in bytes.
pub const LENGTH_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    async fn a_file_is_replaced_as_a_whole(files: &dyn Files, folder: &Path) {
        let path = folder.join("deep/er/file");
        assert_eq!(files.read(&path).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        for content in ["first", "", "and a longer one"] {
            files.replace(&path, content.into()).await.unwrap();
            assert_eq!(files.read(&path).await.unwrap(), content.as_bytes());
        }
        let below = path.join("file");
        assert!(files.replace(&below, Vec::new()).await.is_err(), "a file is no folder");
        assert_eq!(files.read(&path).await.unwrap(), b"and a longer one");
    }

    #[tokio::test]
    async fn both_kinds_read_what_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        a_file_is_replaced_as_a_whole(&Disk, folder.path()).await;
        a_file_is_replaced_as_a_whole(&Memory::default(), folder.path()).await;
        let left: Vec<_> = std::fs::read_dir(folder.path().join("deep/er")).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left beside the file: {left:?}");
    }

    async fn a_file_grows_and_begins_anew_where_it_is_moved_away(files: &dyn Files, folder: &Path) {
        let path = folder.join("log");
        for content in ["one\n", "two\n"] {
            files.append(&path, content.into()).await.unwrap();
        }
        assert_eq!(files.read(&path).await.unwrap(), b"one\ntwo\n");
    }

    #[tokio::test]
    async fn both_kinds_write_behind_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        a_file_grows_and_begins_anew_where_it_is_moved_away(&Memory::default(), folder.path()).await;
        a_file_grows_and_begins_anew_where_it_is_moved_away(&Disk, folder.path()).await;
        std::fs::rename(folder.path().join("log"), folder.path().join("log.1")).unwrap();
        a_file_grows_and_begins_anew_where_it_is_moved_away(&Disk, folder.path()).await;
    }

    #[tokio::test]
    async fn a_file_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(LENGTH_MAX).unwrap();
        assert_eq!(Disk.read(&path).await.unwrap().len() as u64, LENGTH_MAX);
        file.set_len(LENGTH_MAX + 1).unwrap();
        assert_eq!(Disk.read(&path).await.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
