//! Where replies are kept.

pub mod envelope;
pub mod shared;
