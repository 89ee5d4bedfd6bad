//! Methods by which a client tells a service who it is, or what its further calls mean, and which the service remembers for the
//! connection that they came on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a call of a method means that is known to make a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sessions {
    /// Its connection gets a backend connection of its own from then on.
    Own,
    /// Nothing.
    Shared,
}

/// What a call leaves behind on the connection that it was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// Nothing: the next call there may be anybody's.
    Nothing,
    /// A session: what comes next from its client is meant within it, and what is answered there is for nobody else.
    Session,
}

impl Sessions {
    /// What a call of `method` leaves behind.
    pub(crate) fn left_by(self, method: &str) -> Leaves {
        match self {
            Self::Own if makes_session(method) => Leaves::Session,
            Self::Own | Self::Shared => Leaves::Nothing,
        }
    }
}

/// Whether a method of this name makes a session, in a service that has one.
pub(crate) fn makes_session(method: &str) -> bool {
    NAMES.contains(&method)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_as_a_whole() {
        assert!(makes_session("set_ugi") && makes_session("login"));
        assert!(!makes_session("getLogin") && !makes_session("set_ug") && !makes_session("Login"));
    }
}
