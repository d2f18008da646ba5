//! The homeserver's ping: a bridge that asked for it learns that it can be reached.

use reqwest::Method;
use serde_json::json;

use crate::support::case::case;

const PING: &str = "/_matrix/app/v1/ping";

#[test]
fn a_ping_is_answered() {
    case(&[], async |bridge| {
        let body = json!({"transaction_id": "conformance-1"});
        bridge.call(Method::POST, PING).json(&body).send().await.is_accepted();
    });
}

#[test]
fn a_ping_without_a_transaction_id_is_answered() {
    case(&[], async |bridge| {
        bridge
            .call(Method::POST, PING)
            .json(&json!({}))
            .send()
            .await
            .is_accepted();
    });
}

#[test]
fn a_ping_with_a_transaction_id_that_nobody_gave_is_answered() {
    case(&[], async |bridge| {
        let body = json!({"transaction_id": "never asked for", "org.example.new": [1]});
        bridge.call(Method::POST, PING).json(&body).send().await.is_accepted();
    });
}

#[test]
fn a_ping_without_the_token_is_refused() {
    case(&[], async |bridge| {
        let call = bridge.call(Method::POST, PING).authorization(None);
        call.json(&json!({"transaction_id": "x"}))
            .send()
            .await
            .is_unauthorised();
    });
}
