//! Why a call to Redis brought nothing, and what that says of the server.

use redis::RedisError;
use thiserror::Error;

/// Why a call brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Failure {
    /// Not asked: the server that owns the key is down, or nobody knows which one does.
    #[error("the server is down")]
    Down,
    /// Not asked: too much is under way at the server.
    #[error("too many calls are under way at the server")]
    Full,
    /// No answer in time. What was asked for may have happened, or may happen yet.
    #[error("no answer in time")]
    Slow,
    /// The connection ended. What was asked for may have happened.
    #[error("the connection ended")]
    Lost,
    /// The server does not serve now: it is a replica, loads its data, wants a login, or runs a long script.
    #[error("the server does not serve now")]
    Unfit,
    /// The server's memory is full, and it evicts nothing.
    #[error("the server's memory is full")]
    NoMemory,
    /// The key holds a list, a set or the like.
    #[error("the key holds another type")]
    WrongType,
    /// The server refused it, with an error answer of another kind.
    #[error("the server refused it")]
    Refused,
}

/// Why one server did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setback {
    Failed(Failure),
    /// The server does not know the script.
    NoScript,
    /// Another server is to be asked.
    Elsewhere(Redirect),
}

/// Where else in a cluster a key may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) slot: u16,
    /// `HOST:PORT`; without a host, it is the host that was asked.
    pub(super) to: String,
    /// Whether its whole slot is there now. If not, only this once, and with `ASKING` before.
    pub(super) for_good: bool,
}

impl Setback {
    pub(super) fn of(error: &RedisError) -> Self {
        if let Some((to, slot)) = error.redirect_node() {
            let for_good = error.code() == Some("MOVED");
            return Self::Elsewhere(Redirect { slot, to: to.to_owned(), for_good });
        }
        if error.is_unrecoverable_error() {
            return Self::Failed(Failure::Lost);
        }
        Self::Failed(match error.code().unwrap_or_default() {
            "NOSCRIPT" => return Self::NoScript,
            "WRONGTYPE" => Failure::WrongType,
            "OOM" => Failure::NoMemory,
            "READONLY" | "LOADING" | "NOAUTH" | "WRONGPASS" | "MASTERDOWN" | "BUSY" | "CLUSTERDOWN"
            | "TRYAGAIN" => Failure::Unfit,
            _ => Failure::Refused,
        })
    }

    /// Whether the server as a whole does not serve, so that another connection, or another server, is to be found. A cluster
    /// that lacks a slot and a script that runs long come and go; the breaker counts them.
    pub(super) fn is_of_server(error: &RedisError) -> bool {
        error.is_unrecoverable_error()
            || matches!(error.code(), Some("READONLY" | "LOADING" | "NOAUTH" | "WRONGPASS" | "MASTERDOWN"))
    }
}

impl Failure {
    /// Whether it counts against the server.
    pub(super) fn is_held_against(self) -> bool {
        match self {
            Self::Slow | Self::Lost | Self::Unfit => true,
            Self::Down | Self::Full | Self::NoMemory | Self::WrongType | Self::Refused => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> RedisError {
        let answer = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap();
        answer.extract_error().unwrap_err()
    }

    #[test]
    fn what_a_server_says_tells_whether_it_serves() {
        let check = |text: &str, failure: Failure, of_server: bool| {
            let error = error(text);
            assert_eq!(Setback::of(&error), Setback::Failed(failure), "{text}");
            assert_eq!(Setback::is_of_server(&error), of_server, "{text}");
        };
        check("READONLY You can't write against a read only replica.", Failure::Unfit, true);
        check("LOADING Redis is loading the dataset in memory", Failure::Unfit, true);
        check("NOAUTH Authentication required.", Failure::Unfit, true);
        check("MASTERDOWN Link with MASTER is down", Failure::Unfit, true);
        check("BUSY Redis is busy running a script.", Failure::Unfit, false);
        check("CLUSTERDOWN Hash slot not served", Failure::Unfit, false);
        check("OOM command not allowed when used memory > 'maxmemory'.", Failure::NoMemory, false);
        check("WRONGTYPE Operation against a key", Failure::WrongType, false);
        check("NOPERM this user has no permissions", Failure::Refused, false);
        check("MISCONF Redis is configured to save RDB snapshots", Failure::Refused, false);
        check("ERR unknown command", Failure::Refused, false);
        assert_eq!(Setback::of(&error("NOSCRIPT No matching script.")), Setback::NoScript);
    }

    #[test]
    fn a_server_of_a_cluster_says_where_else_to_ask() {
        let there =
            |for_good| Setback::Elsewhere(Redirect { slot: 3999, to: "127.0.0.1:6381".to_owned(), for_good });
        assert_eq!(Setback::of(&error("MOVED 3999 127.0.0.1:6381")), there(true));
        assert_eq!(Setback::of(&error("ASK 3999 127.0.0.1:6381")), there(false));
    }
}
