//! The way of a schema: its files are read, and every name in them gets its meaning.

use std::io;
use std::path::Path;

use super::schema::Schema;
use super::{Problem, resolve, source};

impl Schema {
    /// Reads a file and everything it includes through `read`; an include is looked for beside the file that names it, then
    /// beside the root file.
    ///
    /// # Errors
    ///
    /// Every problem in all files, at most a hundred.
    pub fn load(path: &Path, read: impl FnMut(&Path) -> io::Result<String>) -> Result<Self, Vec<Problem>> {
        let (sources, problems) = source::read(path, read);
        resolve::resolve(&sources, problems).map(Self::new)
    }
}
