//! Is it really Synapse? The `hs_token`, in the header or, from old servers, in the query.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::{AppserviceState, MatrixError};

/// Lets a request through that carries the right token.
pub(super) async fn require_token(State(state): State<AppserviceState>, request: Request, next: Next) -> Response {
    let expected = state.hs_token.expose_secret();
    match judge(request.headers(), request.uri().query().unwrap_or_default(), expected) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The header counts where there is one; both have to be right where both are there.
fn judge(headers: &HeaderMap, query: &str, expected: &str) -> Result<(), MatrixError> {
    let header = headers.get(AUTHORIZATION);
    let mut shown = 0;
    if let Some(header) = header {
        shown += 1;
        let token = header.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default();
        if !equal(token, expected) {
            return Err(MatrixError::wrong_token());
        }
    }
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if key == "access_token" {
            shown += 1;
            if !equal(value.as_bytes(), expected) {
                return Err(MatrixError::wrong_token());
            }
        }
    }
    if shown == 0 {
        Err(MatrixError::missing_token())
    } else {
        Ok(())
    }
}

/// Compares in a time that tells nothing of how much was right.
fn equal(shown: &[u8], expected: &str) -> bool {
    !expected.is_empty() && shown.ct_eq(expected.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn status(header: Option<&str>, query: &str) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        }
        judge(&headers, query, "s3cret").map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[test]
    fn the_token_counts_in_the_header_and_in_the_query() {
        assert_eq!(status(Some("Bearer s3cret"), ""), 200);
        assert_eq!(status(None, "access_token=s3cret"), 200);
        assert_eq!(status(Some("Bearer s3cret"), "a=b&access_token=s3cret"), 200);
    }

    #[test]
    fn anything_else_is_refused() {
        for (header, query, expected) in [
            (None, "", 401),
            (None, "token=s3cret", 401),
            (Some("Bearer wrong"), "", 403),
            (Some("bearer s3cret"), "", 403),
            (Some("s3cret"), "", 403),
            (Some("Bearer "), "", 403),
            (Some("Bearer s3cre"), "", 403),
            (Some("Bearer s3cret1"), "", 403),
            (None, "access_token=", 403),
            (Some("Bearer s3cret"), "access_token=wrong", 403),
            (Some("Bearer wrong"), "access_token=s3cret", 403),
        ] {
            assert_eq!(status(header, query), expected, "{header:?} {query}");
        }
    }

    #[test]
    fn an_empty_token_of_ours_lets_nobody_in() {
        assert!(judge(&HeaderMap::new(), "access_token=", "").is_err());
    }
}
