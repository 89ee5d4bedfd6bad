//! One run of some work per key, shared by all who ask meanwhile.

pub mod options;
