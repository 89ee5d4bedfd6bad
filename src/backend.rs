//! Asks the service that a method belongs to.

pub mod options;
