//! What may be done with the calls of a method.

pub mod options;
pub mod pattern;
pub mod resolve;
