//! Verification: whether what is served is what its backend would have said.
//!
//! A sample of fresh hits is asked again behind, after they were answered. What the backend says then is compared with what was served, in
//! canonical form, so that the order of maps and sets is no difference. Where it differs, that alone proves nothing: the reply may have
//! changed since it was kept, which its rule's `ttl` allows. So two more calls are asked, one after the other: the call that the reply was
//! first kept for, which has the same key and may differ in what the rule ignores, and the served call again. Only if the backend answers
//! these two otherwise each time, no one reply is right for their key:
//!
//! ```text
//! the served call             as served ........................... match
//!   | otherwise
//! the call it was kept for    as the served call just now ......... changed
//!   | otherwise
//! the served call again       as the call it was kept for ......... changed, between the first two
//!   | otherwise
//! mismatch
//! ```
//!
//! What fails on the way makes the hit unverified, which says nothing of its rule. Where it is not known any more which call a reply was kept
//! for, or another gateway kept it, the served call stands in for it: then only replies that change from one call to the next are found out.

mod allowance;
mod sampler;
mod spelled;
mod trust;
mod witnesses;

pub(crate) use allowance::Allowance;
pub(crate) use sampler::Sampler;
pub(crate) use spelled::Spelled;
pub(crate) use trust::{Fallen, Tally, Trust};
pub(crate) use witnesses::Witnesses;
