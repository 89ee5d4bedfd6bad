//! The admin HTTP endpoint.

pub mod options;
