use super::*;

fn refused(status: u16, header: Option<&str>, body: &str) -> HomeserverError {
    let mut headers = HeaderMap::new();
    if let Some(seconds) = header {
        headers.insert(RETRY_AFTER, seconds.parse().unwrap());
    }
    Refusal::read(status, &headers, body.as_bytes()).into()
}

#[test]
fn a_rate_limit_says_how_long_to_wait() {
    let limited = r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":1500}"#;
    assert_eq!(
        refused(429, Some("7"), limited).retry(),
        Retry::After(Duration::from_millis(1500))
    );
    assert_eq!(
        refused(429, Some("7"), r#"{"errcode":"M_LIMIT_EXCEEDED"}"#).retry(),
        Retry::After(Duration::from_secs(7))
    );
    assert_eq!(refused(429, None, "slow down").retry(), Retry::Backoff);
    assert_eq!(
        refused(429, Some("99999999999"), "{}").retry(),
        Retry::After(LONGEST_WAIT)
    );
    assert_eq!(
        refused(429, Some("-1"), r#"{"retry_after_ms":"soon"}"#).retry(),
        Retry::Backoff
    );
}

#[test]
fn trouble_on_the_way_is_retried_and_its_outcome_is_unknown() {
    for status in [500, 502, 503, 504, 520] {
        let error = refused(status, None, "<html>Bad Gateway</html>");
        assert_eq!(
            (error.retry(), error.outcome_unknown()),
            (Retry::Backoff, true),
            "{status}"
        );
    }
    assert_eq!(
        refused(503, Some("3"), "").retry(),
        Retry::After(Duration::from_secs(3))
    );
}

#[test]
fn a_wrong_token_waits_for_an_administrator() {
    let error = refused(
        401,
        None,
        r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Unrecognised access token"}"#,
    );
    assert_eq!((error.retry(), error.outcome_unknown()), (Retry::Backoff, false));
}

#[test]
fn a_refusal_by_the_homeserver_is_final() {
    for (status, errcode) in [
        (400, "M_BAD_JSON"),
        (401, "M_WEIRD"),
        (403, "M_FORBIDDEN"),
        (404, "M_NOT_FOUND"),
        (413, "M_TOO_LARGE"),
    ] {
        let error = refused(status, None, &format!(r#"{{"errcode":"{errcode}","error":"no"}}"#));
        assert_eq!(
            (error.retry(), error.outcome_unknown()),
            (Retry::Never, false),
            "{errcode}"
        );
        assert_eq!((error.status(), error.errcode()), (Some(status), Some(errcode)));
    }
}

#[test]
fn a_refusal_by_a_proxy_is_final_only_where_the_request_itself_is_at_fault() {
    assert_eq!(refused(413, None, "<html>").retry(), Retry::Never);
    for status in [301, 403, 404] {
        assert_eq!(refused(status, None, "<html>").retry(), Retry::Backoff, "{status}");
    }
    assert!(!refused(404, None, "<html>").is_not_found());
}

#[test]
fn the_homeservers_words_are_cut_and_cleaned() {
    let error = refused(
        403,
        None,
        &format!(r#"{{"errcode":"M_FORBIDDEN","error":"a\n\u001b{}"}}"#, "b".repeat(900)),
    );
    let text = error.to_string();
    assert!(
        text.starts_with("refused with 403 M_FORBIDDEN: abbb") && text.len() < 300,
        "{text}"
    );
}
