//! Client connections of a whole gateway on a simulated network.

mod backups;
mod effort;
mod ending;
mod excepted;
mod explaining;
mod fence;
mod identities;
mod invalidation;
mod knowing;
mod memory;
mod revalidating;
mod room;
mod routing;
mod telling;
mod time;
mod unkept;
mod verifying;
mod waiting;
mod world;
