//! Who may give orders.

use std::net::SocketAddr;

use crate::setting::Secret;

/// Whose orders are carried out.
#[derive(Clone, Debug)]
pub(crate) enum Authority {
    /// Those of whoever shows this token.
    Token(Secret),
    /// Everybody's: only this host's own can ask.
    Anybody,
    /// Nobody's.
    Nobody,
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The token was not shown.
    Token,
    /// Nobody's would be.
    Nobody,
}

impl Authority {
    /// Whose orders are carried out by who does not know who asks: those of whoever shows `token`, if there is one.
    pub(crate) fn of_token(token: Option<Secret>) -> Self {
        token.map_or(Self::Nobody, Self::Token)
    }

    /// Whose orders are carried out at an endpoint that is bound to `address`, by whoever shows `token`, if there is one.
    pub(crate) fn new(address: SocketAddr, token: Option<Secret>) -> Self {
        match token {
            Some(token) => Self::Token(token),
            None if address.ip().is_loopback() => Self::Anybody,
            None => Self::Nobody,
        }
    }

    /// Whether who shows this may give orders.
    ///
    /// # Errors
    /// If he may not.
    pub(crate) fn allows(&self, shown: Option<&[u8]>) -> Result<(), Denied> {
        match self {
            Self::Token(token) if !shown.is_some_and(|shown| token.is(shown)) => Err(Denied::Token),
            Self::Nobody => Err(Denied::Nobody),
            Self::Token(_) | Self::Anybody => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_token_the_address_decides() {
        let allows = |address: &str| Authority::new(address.parse().unwrap(), None).allows(None);
        assert_eq!([allows("127.0.0.1:9099"), allows("[::1]:9099")], [Ok(()); 2]);
        assert_eq!(allows("0.0.0.0:9099"), Err(Denied::Nobody));
    }

    #[test]
    fn where_there_is_a_token_it_is_shown_everywhere() {
        for address in ["127.0.0.1:9099", "0.0.0.0:9099"] {
            let authority = Authority::new(address.parse().unwrap(), Some(Secret::new("sesame".to_owned())));
            assert_eq!(authority.allows(Some(b"sesame")), Ok(()));
            for wrong in [None, Some(&b""[..]), Some(b"sesam"), Some(b"sesame ")] {
                assert_eq!(authority.allows(wrong), Err(Denied::Token), "{wrong:?}");
            }
        }
    }
}
