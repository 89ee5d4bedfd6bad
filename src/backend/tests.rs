//! A backend against a simulated network and, where sockets matter, against real ones.

mod blaming;
mod ejecting;
mod pooling;
mod retrying;
mod verifying;
mod world;
