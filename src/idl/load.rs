//! The way of a schema: its files are read, and every name in them gets its meaning.

use std::io;
use std::path::{Path, PathBuf};

use super::schema::Schema;
use super::{Problem, resolve, source};

impl Schema {
    /// Reads a file and everything it includes through `read`; an include is looked for beside the file that names it, then
    /// beside the root file.
    ///
    /// # Errors
    ///
    /// Every problem in all files, at most a hundred.
    pub fn load<T: Into<Vec<u8>>>(
        path: &Path,
        read: impl FnMut(&Path) -> io::Result<T>,
    ) -> Result<Self, Vec<Problem>> {
        Self::search(path, &[], read)
    }

    /// The same, where an include that is not beside the file which names it is looked for in these folders, in their order, before it is
    /// beside the root file.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn search<T: Into<Vec<u8>>>(
        path: &Path,
        folders: &[PathBuf],
        mut read: impl FnMut(&Path) -> io::Result<T>,
    ) -> Result<Self, Vec<Problem>> {
        resolve::resolve(source::read(path, folders, |path| read(path).map(Into::into)))
    }
}
