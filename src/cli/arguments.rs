//! The arguments of a call, as people type them.

use serde_json::Value as Json;

/// What `text` says of the arguments of `method`: an object by their names.
///
/// # Errors
/// If it is no JSON.
pub(super) fn arguments(method: &str, text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("the arguments of {method} are no JSON: {error}"))
}
