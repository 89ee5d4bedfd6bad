//! How a connection ended that had been open.

use std::io;

use super::Refusal;

/// How a connection ended that had been open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its peer said that nothing more comes.
    Closed,
    /// It was broken off: by its peer, or by what lies between.
    Cut,
    /// The peer's host is lost: it has answered the system nothing for seconds.
    Lost,
}

impl End {
    /// What the system's error proves.
    pub fn of(error: &io::Error) -> Self {
        match Refusal::of(error) {
            Refusal::Silent | Refusal::NoRoute => Self::Lost,
            Refusal::Refused | Refusal::Cut | Refusal::Untrusted | Refusal::Nameless | Refusal::Ours => {
                Self::Cut
            }
        }
    }

    /// Whether it is the endpoint's failure, whatever the call was.
    pub fn blames_endpoint(self) -> bool {
        match self {
            Self::Closed | Self::Cut => false,
            Self::Lost => true,
        }
    }

    /// What a peer has done, in words.
    pub fn as_deed(self) -> &'static str {
        match self {
            Self::Closed => "closed the connection without an answer",
            Self::Cut => "broke the connection off without an answer",
            Self::Lost => "was lost: its host answers nothing any more",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use rustix::io::Errno;

    #[test]
    fn only_a_host_that_answers_nothing_is_lost() {
        let end = |errno: Errno| End::of(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert_eq!([Errno::TIMEDOUT, Errno::HOSTUNREACH].map(end), [End::Lost; 2]);
        assert_eq!([Errno::CONNRESET, Errno::PIPE, Errno::NETUNREACH].map(end), [End::Cut; 3]);
    }
}
