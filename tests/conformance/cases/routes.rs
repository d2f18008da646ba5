//! Which paths exist, and what the others say. The homeserver tells a missing endpoint from a failing one by this.

use reqwest::Method;
use serde_json::json;

use crate::support::bridge::{new_txn, transaction_path};
use crate::support::call::segment;
use crate::support::case::case;
use crate::support::settings::Need;

#[test]
fn an_unknown_path_is_not_found() {
    case(&[], async |bridge| {
        for path in [
            "/_matrix/app/v1/nothing",
            "/_matrix/app/v9/transactions/1",
            "/_matrix/app/v1/",
            "/_matrix/app",
        ] {
            bridge
                .call(Method::GET, path)
                .send()
                .await
                .is_error(404, "M_UNRECOGNIZED");
        }
        let call = bridge
            .call(Method::PUT, "/_matrix/app/v9/transactions/1")
            .json(&json!({"events": []}));
        call.send().await.is_error(404, "M_UNRECOGNIZED");
    });
}

#[test]
fn a_wrong_method_is_not_allowed() {
    case(&[], async |bridge| {
        let transaction = transaction_path(&new_txn());
        let user = format!("/_matrix/app/v1/users/{}", segment("@someone:unknown.example"));
        let alias = format!("/_matrix/app/v1/rooms/{}", segment("#somewhere:unknown.example"));
        for (method, path) in [
            (Method::GET, &*transaction),
            (Method::POST, &transaction),
            (Method::DELETE, &transaction),
            (Method::PUT, &user),
            (Method::POST, &alias),
            (Method::GET, "/_matrix/app/v1/ping"),
            (Method::PUT, "/_matrix/app/v1/ping"),
            (Method::POST, "/_matrix/app/v1/thirdparty/protocol/any"),
        ] {
            bridge.call(method, path).send().await.is_error(405, "M_UNRECOGNIZED");
        }
    });
}

#[test]
fn transactions_arrive_by_the_legacy_path() {
    case(&[Need::Room], async |bridge| {
        let message = bridge.message("by the legacy path");
        let txn = new_txn();
        let body = json!({"events": [message]});
        bridge
            .call(Method::PUT, &format!("/transactions/{txn}"))
            .json(&body)
            .send()
            .await
            .is_accepted();
        // Whoever found the new path after that sends the same again.
        bridge.push_as(&txn, &body).await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}

#[test]
fn unusual_transaction_ids_are_as_good_as_any() {
    case(&[Need::Room], async |bridge| {
        let fresh = new_txn();
        let mut messages = Vec::new();
        for oddity in [
            "a b",
            "a/b",
            "a%2Fb",
            "100%",
            "?a=b#c",
            "日本😀",
            "+",
            "'; --",
            "..",
            "nul\0nul",
        ] {
            let message = bridge.message(&format!("transaction id with {oddity:?}"));
            let txn = format!("{fresh}{oddity}");
            for _ in 0..2 {
                bridge.push_as(&txn, &json!({"events": [message]})).await.is_accepted();
            }
            messages.push(message);
        }
        bridge.delivers(&messages).await;
    });
}

#[test]
fn a_long_transaction_id_is_as_good_as_any() {
    case(&[Need::Room], async |bridge| {
        let message = bridge.message("under a long transaction id");
        let txn = format!("{}{}", new_txn(), "x".repeat(2000));
        bridge.push_as(&txn, &json!({"events": [message]})).await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}

/// Both answers are right. Wrong are a redirect, which the homeserver does not follow, and a 200 that forgets the rest.
#[test]
fn a_slash_at_the_end_is_served_or_refused_but_never_swallowed() {
    case(&[Need::Room], async |bridge| {
        let message = bridge.message("with a slash at the end");
        let path = format!("{}/", transaction_path(&new_txn()));
        let answer = bridge
            .call(Method::PUT, &path)
            .json(&json!({"events": [message]}))
            .send()
            .await;
        if answer.status == 200 {
            answer.is_accepted();
            bridge.delivers(&[message]).await;
        } else {
            answer.is_error(404, "M_UNRECOGNIZED");
        }
    });
}

/// What a transaction is does not hang on its label.
#[test]
fn a_body_without_a_content_type_is_read() {
    case(&[Need::Room], async |bridge| {
        let message = bridge.message("without a content type");
        let call = bridge
            .call(Method::PUT, &transaction_path(&new_txn()))
            .without_content_type();
        call.json(&json!({"events": [message]})).send().await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}
