//! The sample service as the Thrift compiler wrote it.

#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    unused_lifetimes,
    dead_code,
    clippy::all,
    clippy::missing_docs_in_private_items,
    clippy::too_many_lines,
    clippy::excessive_nesting,
    clippy::cognitive_complexity,
    clippy::unused_self,
    clippy::unwrap_used,
    clippy::use_self,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    clippy::manual_let_else,
    clippy::or_fun_call,
    clippy::allow_attributes_without_reason,
    reason = "generated from idl/users.thrift by the Thrift compiler 0.17"
)]
pub(super) mod users;
