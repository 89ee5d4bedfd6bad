//! What a defect may break: the call that met it, and nothing else.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tracing::error;

use crate::fault::Fault;
use crate::metrics::MethodCounts;

/// What `work` for a call comes to.
///
/// # Errors
/// [`Fault::Internal`], logged and counted, if it panics.
pub(super) async fn guarded<T>(counts: &MethodCounts, work: impl Future<Output = T>) -> Result<T, Fault> {
    // What it broke is this call alone: all that calls share is changed under locks that are whole at every step, and a connection in
    // use is closed when it is dropped.
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        error!(method = %counts.method(), panic = said(&*panic), "a call made the gateway panic");
        counts.met(Fault::Internal)
    })
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text")
}
