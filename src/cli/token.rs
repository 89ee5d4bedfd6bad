//! The token that a command shows to a gateway.

use std::path::Path;

/// What `file` says: its first line.
///
/// # Errors
/// If it cannot be read, or has none.
pub(super) fn read(file: Option<&Path>) -> Result<Option<String>, String> {
    let Some(file) = file else { return Ok(None) };
    let wrong = |why: &str| format!("the token file {} {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(|line| Some(line.to_owned())).ok_or_else(|| wrong("has no first line"))
}
