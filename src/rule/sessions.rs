//! Methods by which a client tells a service who it is, or what its further calls mean, and which the service remembers for the
//! connection that they came on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Caching;

/// What a call of a method means that is known to make a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sessions {
    /// Its connection gets a backend connection of its own from then on.
    Own,
    /// Nothing.
    Shared,
}

/// What a rule says that the calls of its method leave behind on their connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Makes {
    /// Who the connection belongs to.
    Identity,
    /// Something that no other connection has.
    State,
}

/// The same, for one method.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    /// Who the connection belongs to; what is answered is kept so, for when the backend fails.
    Identity(Box<Caching>),
    /// Something that no other connection has.
    State,
}

/// What a call leaves behind on the connection that it was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// Nothing: the next call there may be anybody's.
    Nothing,
    /// A session: what comes next from its client is meant within it, and what is answered there is for nobody else.
    Session,
    /// Who the connection belongs to: what comes next is shared with whoever says that he is the same.
    Identity,
}

impl Sessions {
    /// What a call of `method` leaves behind, of which its rule says this.
    pub(crate) fn left_by(self, method: &str, ruled: Option<&Session>) -> Leaves {
        match (ruled, self) {
            (Some(Session::Identity(_)), _) => Leaves::Identity,
            (Some(Session::State), _) => Leaves::Session,
            (None, _) if makes_session(method) => self.left_by_known(),
            (None, _) => Leaves::Nothing,
        }
    }

    /// What a call leaves behind of a method that is known to make a session, and of which no rule says anything.
    pub(crate) fn left_by_known(self) -> Leaves {
        match self {
            Self::Own => Leaves::Session,
            Self::Shared => Leaves::Nothing,
        }
    }
}

/// Whether a method of this name makes a session, in a service that has one.
pub(crate) fn makes_session(method: &str) -> bool {
    NAMES.contains(&method)
}

/// Whether calls of a method of this name carry a secret, or are answered with a handle that is for one connection.
pub(crate) fn is_secret(method: &str) -> bool {
    SECRET.contains(&method)
}

/// The names, and who calls a method so:
///
/// - `set_ugi` and `setMetaConf` of Apache Hive's metastore (`hive_metastore.thrift`): the first sets the user whose rights hold for
///   all further calls of the connection, the second the settings;
/// - `OpenSession` of HiveServer2, Apache Spark and Apache Impala (`TCLIService.thrift`);
/// - `login`, `set_keyspace` and `set_cql_version` of Apache Cassandra (`cassandra.thrift`); `login` of the Apache Accumulo proxy
///   (`proxy.thrift`) too;
/// - `authenticate` of Apache Accumulo (`client.thrift`) and Nebula Graph (`graph.thrift`);
/// - `openSession` of Apache IoTDB (`client.thrift`), which looks the session up by the connection.
///
/// [`SECRET`] are those of them whose calls are more than a name.
const NAMES: [&str; 8] = [
    "OpenSession",
    "authenticate",
    "login",
    "openSession",
    "setMetaConf",
    "set_cql_version",
    "set_keyspace",
    "set_ugi",
];
/// What cannot be replayed for whoever says the same: a password is checked, a handle handed out.
const SECRET: [&str; 4] = ["OpenSession", "authenticate", "login", "openSession"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_as_a_whole() {
        assert!(makes_session("set_ugi") && makes_session("login"));
        assert!(!makes_session("getLogin") && !makes_session("set_ug") && !makes_session("Login"));
    }
}
