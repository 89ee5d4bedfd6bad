//! A backend against a simulated network and, where sockets matter, against real ones.

mod act;
mod admitting;
mod aging;
mod asking;
mod balancing;
mod blaming;
mod budgeting;
mod discovering;
mod dying;
mod ejecting;
mod fb303;
mod identities;
mod idling;
mod lanes;
mod pooling;
mod private;
mod reloading;
mod replying;
mod retrying;
mod running;
mod scenes;
mod sounding;
mod steering;
mod translating;
mod verifying;
mod world;
