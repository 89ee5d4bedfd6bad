//! An IDL file that a command names.

use std::fs;
use std::path::Path;

use crate::idl::Schema;

/// What the file says, with all that it includes.
///
/// # Errors
/// Each problem in them, a line each.
pub(super) fn schema(file: &Path) -> Result<Schema, String> {
    let read = Schema::load(file, |path| fs::read_to_string(path));
    read.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
