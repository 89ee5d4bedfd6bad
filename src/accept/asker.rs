//! Who stands at the other end of a connection that comes in.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Whoever asks, as far as the system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Somebody at this address.
    Address(SocketAddr),
    /// A process of this machine.
    Process {
        /// The user that it runs as.
        user: u32,
        /// Its number, where the system tells it.
        process: Option<i32>,
    },
    /// A process of this machine of which the system tells nothing.
    Unknown,
}

impl Asker {
    /// The host that it asks from; a process of this machine does so from here.
    pub(crate) fn host(self) -> IpAddr {
        match self {
            Self::Address(address) => address.ip(),
            Self::Process { .. } | Self::Unknown => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

impl From<SocketAddr> for Asker {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Process { user, process: Some(process) } => write!(f, "user {user} process {process}"),
            Self::Process { user, process: None } => write!(f, "user {user}"),
            Self::Unknown => f.write_str("this machine"),
        }
    }
}
