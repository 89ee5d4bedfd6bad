//! What the invalidation service says to a call: orders and answers as the IDL spells them.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use thrift::ApplicationErrorKind;

use crate::accept::Asker;
use crate::idl::value::{self, ValueProblem};
use crate::idl::{Method, Schema};
use crate::mark::Kind as MarkKind;
use crate::purge::authority::{Authority, Denied};
use crate::purge::order::{Order, Written};
use crate::purge::{Orderer, Purged, Purges, Refusal};
use crate::wire::inbound::Taken;
use crate::wire::message::{Kind, split_name};
use crate::wire::{Protocol, exception};

/// Who answers.
#[derive(Debug)]
pub(crate) struct Service {
    purges: Arc<Purges>,
    authority: Authority,
    schema: Schema,
}

/// Why there is no result.
#[derive(Debug)]
enum Trouble {
    /// One of the declared exceptions, by its field, and what it says.
    Declared(&'static str, String),
    /// The message is no call that the service has.
    Undeclared(ApplicationErrorKind, String),
}

impl Service {
    /// Carries out orders of those whom `authority` allows.
    pub(crate) fn new(purges: Arc<Purges>, authority: Authority) -> Self {
        let schema = Schema::load(Path::new("larder.thrift"), |_| Ok(IDL.to_owned()));
        let schema = schema.expect("the idl that is compiled in is read by a test");
        Self { purges, authority, schema }
    }

    /// The answer to a message: what it is, and its struct.
    pub(super) async fn answer(&self, call: &Taken, protocol: Protocol, from: Asker) -> (Kind, Vec<u8>) {
        let trouble = match self.purged(call, protocol, from).await {
            Ok(reply) => return (Kind::Reply, reply),
            Err(trouble) => trouble,
        };
        let (kind, said) = match trouble {
            Trouble::Declared(field, message) => match self.thrown(field, &message, protocol) {
                Ok(reply) => return (Kind::Reply, reply),
                Err(problem) => (ApplicationErrorKind::InternalError, problem.to_string()),
            },
            Trouble::Undeclared(kind, message) => (kind, message),
        };
        (Kind::Exception, exception::encode(protocol, kind, &said))
    }

    async fn purged(&self, call: &Taken, protocol: Protocol, from: Asker) -> Result<Vec<u8>, Trouble> {
        let method = self.method(call)?;
        let unread = |why| Trouble::Undeclared(ApplicationErrorKind::ProtocolError, why);
        if let Some(flaw) = &call.flaw {
            return Err(unread(flaw.to_string()));
        }
        let arguments = value::read_arguments(&self.schema, method, protocol, &call.body());
        let mut arguments = arguments.map_err(|error| unread(error.to_string()))?;
        let token = arguments.get("token").and_then(Json::as_str).map(str::as_bytes);
        self.authority.allows(token).map_err(denied)?;
        let order = arguments.remove("order").unwrap_or_default();
        let order = order_of(order).map_err(|why| Trouble::Declared(BAD_ORDER, why))?;
        let purged = self
            .purges
            .purge(&order, Orderer { by: "thrift", from })
            .await
            .map_err(|refusal| refused(&refusal))?;
        let result = value::result(&self.schema, method, &spelled(&purged), protocol);
        result
            .map_err(|problem| Trouble::Undeclared(ApplicationErrorKind::InternalError, problem.to_string()))
    }

    /// What the IDL says of the method that a message calls.
    fn method(&self, call: &Taken) -> Result<&Method, Trouble> {
        let header = call.header();
        if !matches!(header.kind, Kind::Call | Kind::Oneway) {
            let why = "the message is no call".to_owned();
            return Err(Trouble::Undeclared(ApplicationErrorKind::InvalidMessageType, why));
        }
        let (service, name) = split_name(header.name);
        let is_ours = service.is_none_or(|service| service == SERVICE.as_bytes());
        let declared = self.schema.service(SERVICE).filter(|_| is_ours);
        let name = String::from_utf8_lossy(name);
        let method = declared.and_then(|service| service.methods.get(&*name));
        method.ok_or_else(|| {
            let why = format!("{SERVICE} has no method {name:?}");
            Trouble::Undeclared(ApplicationErrorKind::UnknownMethod, why)
        })
    }

    fn thrown(&self, field: &str, message: &str, protocol: Protocol) -> Result<Vec<u8>, ValueProblem> {
        let method = self.schema.service(SERVICE).and_then(|service| service.methods.get(PURGE));
        let method = method.expect("a test reads the idl, which has the method");
        value::thrown(&self.schema, method, &json!({ field: { "message": message } }), protocol)
    }
}

/// The order that the IDL's struct says: the same as in JSON, but for how a call's arguments and the kind are spelled.
fn order_of(mut said: Json) -> Result<Order, String> {
    if let Some(kind) = said.get_mut("kind") {
        *kind = kind.as_str().unwrap_or_default().to_ascii_lowercase().into();
    }
    if let Some(arguments) = said.pointer_mut("/call/arguments") {
        let text = arguments.as_str().unwrap_or_default();
        *arguments =
            serde_json::from_str(text).map_err(|error| format!("call.arguments: no JSON: {error}"))?;
    }
    let written =
        serde_json::from_value::<Written>(said).map_err(|error| format!("not understood: {error}"))?;
    Order::try_from(written).map_err(|error| error.to_string())
}

/// What came of an order, as the IDL spells it.
fn spelled(purged: &Purged) -> Json {
    let Purged { marked, kind, tick, version, reached, warnings } = purged;
    let kind = match kind {
        MarkKind::Soft => "SOFT",
        MarkKind::Hard => "HARD",
    };
    let reached = reached.to_ascii_uppercase();
    json!({ "marked": marked, "kind": kind, "tick": tick, "version": version, "reached": reached, "warnings": warnings })
}

fn denied(denied: Denied) -> Trouble {
    let why = match denied {
        Denied::Token => "the token is not this gateway's",
        Denied::Nobody => "this gateway takes no orders here: it has no token",
    };
    Trouble::Declared(REFUSED, why.to_owned())
}

fn refused(refusal: &Refusal) -> Trouble {
    let field = match refusal {
        Refusal::Unknown(_) | Refusal::NotKept(_) => BAD_ORDER,
        Refusal::Cover(_) => REFUSED,
    };
    Trouble::Declared(field, refusal.to_string())
}

const IDL: &str = include_str!("../../idl/larder.thrift");
const SERVICE: &str = "Invalidation";
const PURGE: &str = "purge";
/// The fields of the declared exceptions.
const BAD_ORDER: &str = "bad_order";
const REFUSED: &str = "refused";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Reach;
    use crate::purge::order::What;

    fn schema() -> Schema {
        Schema::load(Path::new("larder.thrift"), |_| Ok(IDL.to_owned())).unwrap()
    }

    #[test]
    fn the_idl_has_all_that_is_said() {
        let schema = schema();
        let method = &schema.service(SERVICE).unwrap().methods[PURGE];
        for kind in [MarkKind::Soft, MarkKind::Hard] {
            for reach in [Reach::Gateway, Reach::Shared, Reach::Fleet] {
                let purged = Purged {
                    marked: vec!["tag a".to_owned()],
                    kind,
                    tick: 1,
                    version: Some("1-1".to_owned()),
                    reached: reach.as_str().to_owned(),
                    warnings: Vec::new(),
                };
                assert!(
                    value::result(&schema, method, &spelled(&purged), Protocol::Binary).is_ok(),
                    "{purged:?}"
                );
            }
        }
        for field in [BAD_ORDER, REFUSED] {
            let said = json!({ field: { "message": "why" } });
            assert!(value::thrown(&schema, method, &said, Protocol::Compact).is_ok(), "{field}");
        }
    }

    #[test]
    fn an_order_is_read_as_in_json() {
        let hard = order_of(json!({"tags": ["a"], "kind": "HARD", "force": true})).unwrap();
        assert_eq!((hard.kind, hard.force), (MarkKind::Hard, true));
        let call = order_of(json!({"call": {"method": "S.get", "arguments": "{\"id\": 5}"}})).unwrap();
        assert_eq!(call.kind, MarkKind::Soft);
        assert_eq!(call.what, What::Call { method: "S.get".to_owned(), arguments: json!({"id": 5}) });
        for (none, why) in [
            (Json::Null, "not understood"),
            (json!({}), "names 0 of"),
            (json!({"service_name": "S", "all": true}), "names 2 of"),
            (json!({"call": {"method": "S.get", "arguments": "{"}}), "no JSON"),
            (json!({"all": true, "kind": 7}), "not understood"),
        ] {
            let said = order_of(none).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
