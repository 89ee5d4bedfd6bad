//! What is remembered of backends' replies, in the local and the shared tier.

pub mod options;
