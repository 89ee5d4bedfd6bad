//! `larder call`: one Thrift call from a shell, through a gateway or straight to a backend.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::USAGE;
use super::exchange::{Exchange, Reply};
use super::schema::schema;
use super::trust::Trust;
use crate::backend::options::Endpoint;
use crate::dial::Tcp;
use crate::idl::value::{self, Said};
use crate::idl::{Method, Schema};
use crate::wire::message::{Form, Header, Kind};
use crate::wire::{Protocol, Speech, Transport, exception};

/// Whom to ask, and what.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Who is asked: the host and port of a gateway's listener, or of a backend, or unix: and the path of its socket.
    #[arg(value_name = "ADDR")]
    pub(super) address: Endpoint,
    /// The method, such as `UserService.getUser`.
    #[arg(value_name = "SERVICE.METHOD")]
    pub(super) method: String,
    /// The arguments by name as JSON.
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(super) arguments: String,
    /// The IDL that declares the method.
    #[arg(long, value_name = "FILE")]
    pub(super) idl: PathBuf,
    /// A folder in which files that the IDL includes are looked for; may be given several times.
    #[arg(short = 'I', long = "idl-path", value_name = "DIR")]
    pub(super) idl_paths: Vec<PathBuf>,
    /// How messages are told apart. A gateway takes each; thriftpy2's servers are unframed unless told otherwise.
    #[arg(long, value_name = "TRANSPORT", default_value = "framed")]
    pub(super) transport: Told<Transport>,
    /// How values are spelled. A gateway's listener takes what its backend speaks.
    #[arg(long, value_name = "PROTOCOL", default_value = "binary")]
    pub(super) protocol: Told<Protocol>,
    /// Puts the service before the method's name, as clients of a multiplexed server do.
    #[arg(long)]
    pub(super) multiplexed: bool,
    /// Calls inside TLS.
    #[arg(long)]
    pub(super) tls: bool,
    #[command(flatten)]
    pub(super) trust: Trust,
    /// How long to wait for the answer.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(super) timeout: Duration,
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// It was asked wrongly.
    Usage(String),
    /// Whoever was asked did not answer, or by an exception.
    Failed(String),
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    ask(arguments).map_err(|unanswered| match unanswered {
        Unanswered::Usage(why) => (why, USAGE),
        Unanswered::Failed(why) => (why, 1),
    })
}

/// The result, as JSON; nothing of a oneway method.
///
/// # Errors
/// If there is none.
pub(super) fn ask(arguments: &Arguments) -> Result<String, Unanswered> {
    let usage = Unanswered::Usage;
    let schema = schema(&arguments.idl, &arguments.idl_paths).map_err(usage)?;
    let Arguments { method, multiplexed, transport: Told(transport), protocol: Told(protocol), .. } =
        arguments;
    let (service, declared) = declared(&schema, method).map_err(usage)?;
    let given = super::arguments::arguments(method, &arguments.arguments).map_err(usage)?;
    let body = value::arguments(&schema, declared, &given, *protocol);
    let body = body.map_err(|problem| usage(format!("the arguments of {method}: {problem}")))?;
    let name = if *multiplexed { format!("{service}:{}", declared.name) } else { declared.name.clone() };
    let kind = if declared.oneway { Kind::Oneway } else { Kind::Call };
    let header = Header { kind, name: name.as_bytes(), seqid: 1, form: Form::Strict };
    let exchange = Exchange {
        endpoint: &arguments.address,
        speech: Speech { transport: *transport, protocol: *protocol },
        posts: None,
        tls: arguments.tls.then(|| arguments.trust.client()).transpose().map_err(|(why, _)| usage(why))?,
        timeout: arguments.timeout,
    };
    let failed = Unanswered::Failed;
    let answer = exchange.run(&Tcp, &header, &body).map_err(|error| failed(error.to_string()))?;
    match answer {
        None => Ok(String::new()),
        Some(reply) => told(&schema, declared, *protocol, &reply).map_err(failed),
    }
}

/// The method of that name, and its service.
fn declared<'a>(schema: &'a Schema, name: &str) -> Result<(&'a str, &'a Method), String> {
    let Some((service, method)) = name.rsplit_once('.') else {
        return Err(format!(
            "{name:?} is no method; expected a service and its method, such as UserService.getUser"
        ));
    };
    let declared = schema.named(service).map_err(|unknown| unknown.to_string())?;
    let found = declared.named(method).map_err(|unknown| unknown.to_string())?;
    Ok((&declared.name, found))
}

/// The result as JSON, or the exception in its place.
fn told(schema: &Schema, method: &Method, protocol: Protocol, reply: &Reply) -> Result<String, String> {
    if reply.kind == Kind::Exception {
        let thrift::ApplicationError { kind, message } = exception::decode(protocol, &reply.body);
        return Err(format!("TApplicationException {kind:?}: {message}"));
    }
    let said = value::read_reply(schema, method, protocol, &reply.body);
    let said =
        said.map_err(|error| format!("the reply of {} bytes cannot be read: {error}", reply.body.len()))?;
    match (said, &method.returns) {
        (Said::Result(value), _) => Ok(format!("{value:#}\n")),
        (Said::Nothing, None) => Ok("null\n".to_owned()),
        (Said::Nothing, Some(_)) => Err(format!("the reply has no result, which {} declares", method.name)),
        (Said::Thrown { field, kind, value }, _) => Err(format!("{kind} ({field}): {value}")),
        (Said::Undeclared(fields), _) => {
            Err(format!("the reply has what {} does not declare: {:#}", method.name, Json::Object(fields)))
        }
    }
}

/// A word of the configuration as an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told<T>(pub(super) T);

impl ValueEnum for Told<Transport> {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Transport::Framed), Self(Transport::Unframed), Self(Transport::Header)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let Self(transport) = self;
        Some(transport.as_str().into())
    }
}

impl ValueEnum for Told<Protocol> {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Protocol::Binary), Self(Protocol::Compact)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let Self(protocol) = self;
        Some(protocol.as_str().into())
    }
}
