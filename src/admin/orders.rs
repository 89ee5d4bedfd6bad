//! Orders over HTTP: how a token is shown, and what is said to who may give none.

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::purge::authority::{Authority, Denied};

/// What to say instead of carrying out an order that came with these headers.
pub(super) fn refusal(authority: &Authority, headers: &HeaderMap) -> Option<Response> {
    match authority.allows(shown(headers)) {
        Ok(()) => None,
        Err(Denied::Token) => {
            let why = "this gateway takes orders from who shows its token: Authorization: Bearer TOKEN\n";
            let asks = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
            Some((StatusCode::UNAUTHORIZED, asks, why).into_response())
        }
        Err(Denied::Nobody) => Some((StatusCode::FORBIDDEN, NOBODY).into_response()),
    }
}

/// The only token in `headers`.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, given) = value.as_bytes().split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(given)
}

const SCHEME: &[u8] = b"Bearer ";
const NOBODY: &str = "this gateway takes no orders here: it has no token (admin.token_file, admin.token_env) by which it knows who may \
    give some; those who may use its socket (admin.socket) need none\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::Secret;

    #[test]
    fn one_token_and_the_right_one_is_shown() {
        let authority = Authority::Token(Secret::new("sesame".to_owned()));
        let refuses = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            refusal(&authority, &headers).map(|response| response.status())
        };
        for values in [&["Bearer sesame"][..], &["bearer sesame"]] {
            assert_eq!(refuses(values), None, "{values:?}");
        }
        let wrong = ["", "Bearer", "Bearer ", "Bearer sesam", "Bearer sesame ", "Basic sesame", "sesame"];
        for values in wrong.map(|value| vec![value]).into_iter().chain([vec![], vec!["Bearer sesame"; 2]]) {
            assert_eq!(refuses(&values), Some(StatusCode::UNAUTHORIZED), "{values:?}");
        }
        assert!(refusal(&Authority::Nobody, &HeaderMap::new()).is_some());
        assert!(refusal(&Authority::Anybody, &HeaderMap::new()).is_none());
    }
}
