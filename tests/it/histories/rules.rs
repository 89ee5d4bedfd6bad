//! The rules of a history's methods, and what each promises whatever breaks.

use std::time::Duration;

use crate::harness::*;

/// A method that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// It answers in outages, and not without a lease.
    Get,
    /// It is fresh or nothing, and not without a lease: so it shows the age at which a reply was taken for fresh.
    Find,
    /// It answers in outages, also without a lease.
    Recall,
}

impl Method {
    pub(super) const ALL: [Self; 3] = [Self::Get, Self::Find, Self::Recall];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "getUser",
            Self::Find => "findUser",
            Self::Recall => "recallUser",
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Get => "stale_if_error = '3s'\non_coherence_loss = 'hard'",
            Self::Find => "on_coherence_loss = 'hard'",
            Self::Recall => "stale_if_error = '3s'\non_coherence_loss = 'soft'",
        }
    }

    /// The oldest reply that it allows, with what births may be off that went through Redis.
    pub(super) fn oldest(self) -> Duration {
        match self {
            Self::Get | Self::Recall => ms(5_200),
            Self::Find => ms(2_200),
        }
    }

    /// Whether a gateway without a lease may answer with what others have marked.
    pub(super) fn outlives_leases(self) -> bool {
        match self {
            Self::Recall => true,
            Self::Get | Self::Find => false,
        }
    }
}

/// A gateway with these rules.
pub(super) fn ruled() -> Builder {
    let idl = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/histories/users.thrift");
    let builder = gateway().without_idl().listener(&format!("idl = '{idl}'"));
    let builder = builder.rule("UserService.renameUser", WRITES);
    Method::ALL.iter().fold(builder, |builder, method| {
        builder.rule(&format!("UserService.{}", method.name()), &format!("{READS}\n{}", method.rule()))
    })
}

const READS: &str = "ttl = '2s'\ntimeout = '500ms'\ntags = ['user:{id}']";
const WRITES: &str = "invalidates = ['user:{id}']\nsettle = '0s'\ntimeout = '500ms'\nhold_until = 'fleet'";
