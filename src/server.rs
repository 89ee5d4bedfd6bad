//! The running gateway.

pub mod options;
