//! What the gateway says on standard error.

pub mod options;
