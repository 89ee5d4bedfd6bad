//! Accepts the connections of clients.

pub mod options;
