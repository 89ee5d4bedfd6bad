//! Who may give orders at the admin endpoint.

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

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

impl Authority {
    /// Whose orders are carried out at an endpoint that is bound to `address`, by whoever shows `token`, if there is one.
    pub(crate) fn new(address: SocketAddr, token: Option<Secret>) -> Self {
        match token {
            Some(token) => Self::Token(token),
            None if address.ip().is_loopback() => Self::Anybody,
            None => Self::Nobody,
        }
    }

    /// What to say instead of carrying out an order that came with these headers.
    pub(super) fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        match self {
            Self::Token(token) if !shows(headers, token) => {
                let why = "this gateway takes orders from who shows its token: Authorization: Bearer TOKEN\n";
                let asks = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
                Some((StatusCode::UNAUTHORIZED, asks, why).into_response())
            }
            Self::Nobody => Some((StatusCode::FORBIDDEN, NOBODY).into_response()),
            Self::Token(_) | Self::Anybody => None,
        }
    }
}

/// Whether the only authorization in `headers` is this token.
fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return false;
    };
    let (scheme, given) = value.as_bytes().split_at_checked(SCHEME.len()).unwrap_or_default();
    scheme.eq_ignore_ascii_case(SCHEME) && token.is(given)
}

const SCHEME: &[u8] = b"Bearer ";
const NOBODY: &str = "this gateway takes no orders: its admin endpoint is not bound to a loopback address, and neither \
    admin.token_file nor admin.token_env says by what it knows who may give some\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_token_the_address_decides() {
        let at = |address: &str, token| Authority::new(address.parse().unwrap(), token);
        assert!(matches!(at("127.0.0.1:9099", None), Authority::Anybody));
        assert!(matches!(at("[::1]:9099", None), Authority::Anybody));
        assert!(matches!(at("0.0.0.0:9099", None), Authority::Nobody));
        let token = Secret::new("sesame".to_owned());
        assert!(matches!(at("127.0.0.1:9099", Some(token)), Authority::Token(_)));
    }

    #[test]
    fn one_token_and_the_right_one_is_shown() {
        let authority = Authority::Token(Secret::new("sesame".to_owned()));
        let refuses = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            authority.refusal(&headers).map(|response| response.status())
        };
        for values in [&["Bearer sesame"][..], &["bearer sesame"]] {
            assert_eq!(refuses(values), None, "{values:?}");
        }
        let wrong = ["", "Bearer", "Bearer ", "Bearer sesam", "Bearer sesame ", "Basic sesame", "sesame"];
        for values in wrong.map(|value| vec![value]).into_iter().chain([vec![], vec!["Bearer sesame"; 2]]) {
            assert_eq!(refuses(&values), Some(StatusCode::UNAUTHORIZED), "{values:?}");
        }
        assert!(Authority::Nobody.refusal(&HeaderMap::new()).is_some());
        assert!(Authority::Anybody.refusal(&HeaderMap::new()).is_none());
    }
}
