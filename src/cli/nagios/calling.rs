//! A call that the check makes itself, as a client would: whether it is answered, and how soon.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::range::Range;
use crate::backend::options::Endpoint;
use crate::cli::call::{self, Told, Unanswered, ask};
use crate::cli::trust::Trust;
use crate::wire::{Protocol, Transport};

/// The call, and how soon it is to be answered.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Calling {
    /// Makes this call too, such as `UserService.getUser`: that it is not answered, or by an exception, is critical.
    #[arg(long, value_name = "SERVICE.METHOD", requires_all = ["call_address", "call_idl"])]
    call: Option<String>,
    /// Who is called: the host and port of one of the gateway's listeners.
    #[arg(long, value_name = "ADDR", requires = "call")]
    call_address: Option<Endpoint>,
    /// The arguments of the call by name as JSON.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    call_arguments: String,
    /// The IDL that declares the method.
    #[arg(long, value_name = "FILE", requires = "call")]
    call_idl: Option<PathBuf>,
    /// How messages are told apart there.
    #[arg(long, value_name = "TRANSPORT", default_value = "framed")]
    call_transport: Told<Transport>,
    /// How values are spelled there.
    #[arg(long, value_name = "PROTOCOL", default_value = "binary")]
    call_protocol: Told<Protocol>,
    /// Calls inside TLS.
    #[arg(long)]
    call_tls: bool,
    /// Seconds that the call took.
    #[arg(long, value_name = "RANGE")]
    pub(super) call_warning: Option<Range>,
    /// Seconds that the call took.
    #[arg(long, value_name = "RANGE")]
    pub(super) call_critical: Option<Range>,
}

/// What became of the call.
#[derive(Debug)]
pub(super) struct Called {
    /// The method.
    pub(super) method: String,
    /// How long the answer took, or why there is none.
    pub(super) ended: Result<Duration, String>,
}

impl Calling {
    /// Whether the call is made inside TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.call.is_some() && self.call_tls
    }

    /// Makes the call, if one is wanted, trusting whom the gateway's own certificate is trusted by. It may take so long.
    ///
    /// # Errors
    /// If it was asked wrongly.
    pub(super) fn run(&self, trust: &Trust, timeout: Duration) -> Result<Option<Called>, String> {
        let (Some(method), Some(address), Some(idl)) = (&self.call, &self.call_address, &self.call_idl)
        else {
            return Ok(None);
        };
        let arguments = call::Arguments {
            address: address.clone(),
            method: method.clone(),
            arguments: self.call_arguments.clone(),
            idl: idl.clone(),
            idl_paths: Vec::new(),
            transport: self.call_transport,
            protocol: self.call_protocol,
            multiplexed: false,
            tls: self.call_tls,
            trust: trust.clone(),
            timeout,
        };
        let began = Instant::now();
        let ended = match ask(&arguments) {
            Ok(_) => Ok(began.elapsed()),
            Err(Unanswered::Failed(why)) => Err(why),
            Err(Unanswered::Usage(why)) => return Err(why),
        };
        Ok(Some(Called { method: method.clone(), ended }))
    }
}
