//! An IDL file that a command names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::idl::Schema;

/// What the file says, with all that it includes: from beside the file that includes it, or from `folders`.
///
/// # Errors
/// Each problem in them, a line each.
pub(super) fn schema(file: &Path, folders: &[PathBuf]) -> Result<Schema, String> {
    let read = Schema::search(file, folders, |path| fs::read(path));
    read.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
