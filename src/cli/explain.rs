//! `larder explain`: asks a running gateway what it knows of a call, and what would answer it.

mod told;

use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;

use super::USAGE;
use super::admin::Admin;
use crate::explain::report::Explanation;
use crate::purge::order::Called;

/// Which call, and where.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket.
    #[arg(value_name = "ADDR")]
    admin: Admin,
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
    let given = serde_json::from_str::<Json>(&arguments.arguments);
    let given = given.map_err(|error| (format!("the arguments of {method} are no JSON: {error}"), USAGE))?;
    let called = Called { method: method.clone(), arguments: given };
    let body = serde_json::to_vec(&called).map_err(|error| (error.to_string(), 1))?;
    let answer = admin.post("/v1/explain", &body, None, ANSWER_MAX, TIMEOUT);
    let answer = answer.map_err(|error| (error.to_string(), 1))?;
    match json {
        true => Ok(format!("{}\n", String::from_utf8_lossy(&answer))),
        false => serde_json::from_slice::<Explanation>(&answer)
            .map(|explanation| told::told(&explanation))
            .map_err(|error| (admin.stranger(error.to_string()).to_string(), 1)),
    }
}

/// Bytes of an answer, beyond which it is none: it has the call's arguments a few times.
const ANSWER_MAX: usize = 4 << 20;
/// The endpoint's own bound on an exchange, and some time on the way.
const TIMEOUT: Duration = Duration::from_secs(12);
