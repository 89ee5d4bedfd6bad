//! TLS: what certificates and keys in files become, at either end of a connection, and connections that speak it.

mod client;
mod handshake;
pub(crate) mod options;
mod papers;
mod renewal;
mod renewing;
mod server;
#[cfg(test)]
pub(crate) mod signing;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub(crate) use client::{Client, Name};
pub(crate) use handshake::Failed;
pub(crate) use papers::{Flaw, Papers, Part, Pem};
pub(crate) use renewal::Renewals;
pub(crate) use renewing::Renewable;
pub(crate) use server::{Accepted, Server};

/// What does the arithmetic.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
