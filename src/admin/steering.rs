//! Whoever obeys switches, as the endpoint knows it.

use std::fmt::Debug;

use futures_util::future::BoxFuture;

use crate::accept::Asker;
use crate::switch::order::Order;
use crate::switch::table::{InForce, Refusal};

/// A gateway that can be steered.
pub(crate) trait Steering: Debug + Send + Sync {
    /// The switches in force, the first set first.
    fn in_force(&self) -> Vec<InForce>;

    /// Sets a switch, in place of one of the same kind and subject. When this ends it is in force.
    ///
    /// # Errors
    /// If there is nothing of which it could be said, or there are too many.
    fn set(&self, order: Order, from: Asker) -> Result<InForce, Refusal>;

    /// Takes a switch back. When this ends, all is as if it had not been set.
    ///
    /// # Errors
    /// If there is none with this number.
    fn undo(&self, id: u64, from: Asker, why: &str) -> Result<InForce, Refusal>;

    /// Keeps the switches for the next start, where anything is kept.
    fn keep(&self) -> BoxFuture<'_, ()>;
}
