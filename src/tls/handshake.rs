//! Why a client's TLS handshake came to nothing: a closed list, so that the log and metrics name each.

use std::io;

use thiserror::Error;

/// Why a client's handshake came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Failed {
    /// It took too long.
    #[error("it was not finished in time")]
    Late,
    /// The client left: a probe, or one that does not say why.
    #[error("the client left")]
    Left,
    /// What came is no TLS.
    #[error("what the client sends is no tls")]
    Plain,
    /// The client shows no certificate, and is to.
    #[error("the client shows no certificate")]
    Nameless,
    /// The client's certificate is not good.
    #[error("the client's certificate is not believed: {0}")]
    Unbelieved(String),
    /// The client does not believe this gateway.
    #[error("the client refuses this gateway: {0}")]
    Refused(String),
    /// They have no version or cipher in common, or something else went wrong.
    #[error("{0}")]
    Unlike(String),
}

impl Failed {
    /// What the library's error says.
    pub(crate) fn of(error: &io::Error) -> Self {
        let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let Some(said) = said else { return Self::Left };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open")]
        match said {
            rustls::Error::InvalidMessage(_) => Self::Plain,
            rustls::Error::NoCertificatesPresented => Self::Nameless,
            rustls::Error::InvalidCertificate(why) => Self::Unbelieved(why.to_string()),
            rustls::Error::AlertReceived(why) => Self::Refused(format!("{why:?}")),
            other => Self::Unlike(other.to_string()),
        }
    }

    /// The word for it in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Late => "tls_late",
            Self::Left => "tls_left",
            Self::Plain => "tls_plain",
            Self::Nameless => "tls_nameless",
            Self::Unbelieved(_) => "tls_unbelieved",
            Self::Refused(_) => "tls_refused",
            Self::Unlike(_) => "tls_unlike",
        }
    }

    /// What to do about it, where that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Plain => Some("have the client speak tls, or give it a listener without"),
            Self::Nameless => Some("the listener's tls.client_ca has every client show a certificate"),
            Self::Unbelieved(_) => Some("the listener's tls.client_ca is to have signed it"),
            Self::Refused(_) => Some("the client is to trust who signed the listener's tls.certificate"),
            Self::Late | Self::Left | Self::Unlike(_) => None,
        }
    }
}
