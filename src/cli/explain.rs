//! `larder explain`: asks a running gateway what it knows of a call, and what would answer it.

use clap::Args;

use super::USAGE;
use super::admin::{Admin, Form, TIMEOUT};
use super::trust::Trust;
use crate::explain::report::Explanation;
use crate::explain::told::told;
use crate::purge::order::Called;

/// Which call, and where.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket.
    #[arg(value_name = "ADDR")]
    admin: Admin,
    #[command(flatten)]
    trust: Trust,
    /// The method, such as `UserService.getUser`.
    #[arg(value_name = "SERVICE.METHOD")]
    method: String,
    /// The arguments by name as JSON, those alone that clients send.
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// Prints the gateway's answer as it is.
    #[arg(long)]
    json: bool,
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let Arguments { admin, method, json, .. } = arguments;
    let given = super::arguments::arguments(method, &arguments.arguments).map_err(|why| (why, USAGE))?;
    let called = Called { method: method.clone(), arguments: given };
    let body = serde_json::to_vec(&called).map_err(|error| (error.to_string(), 1))?;
    let admin = arguments.trust.lend(admin)?;
    let answer = admin.post("/v1/explain", &body, None, ANSWER_MAX, TIMEOUT);
    admin.told(answer, Form::of(*json), |explanation: Explanation| told(&explanation))
}

/// Bytes of an answer, beyond which it is none: it has the call's arguments a few times.
const ANSWER_MAX: usize = 4 << 20;
