//! Only the homeserver may speak to an appservice, and its token is the proof.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::bridge::{Bridge, new_txn, transaction_path};
use crate::support::call::{Call, segment};
use crate::support::case::case;
use crate::support::settings::Need;

fn empty_transaction(bridge: &Bridge) -> Call {
    bridge
        .call(Method::PUT, &transaction_path(&new_txn()))
        .json(&json!({"events": []}))
}

#[test]
fn the_token_in_the_header_is_accepted() {
    case(&[], async |bridge| empty_transaction(bridge).send().await.is_accepted());
}

#[test]
fn the_token_in_the_query_is_accepted_because_older_homeservers_send_it_there() {
    case(&[], async |bridge| {
        let call = empty_transaction(bridge).authorization(None);
        call.query("access_token", &bridge.settings.hs_token)
            .send()
            .await
            .is_accepted();
    });
}

#[test]
fn the_token_in_header_and_query_at_once_is_accepted() {
    case(&[], async |bridge| {
        let token = &bridge.settings.hs_token;
        empty_transaction(bridge)
            .query("access_token", token)
            .send()
            .await
            .is_accepted();
    });
}

#[test]
fn a_right_token_among_other_query_parameters_is_found() {
    case(&[], async |bridge| {
        let call = empty_transaction(bridge)
            .authorization(None)
            .query("other", "a&access_token=b");
        call.query("access_token", &bridge.settings.hs_token)
            .send()
            .await
            .is_accepted();
    });
}

#[test]
fn no_token_is_refused() {
    case(&[], async |bridge| {
        empty_transaction(bridge)
            .authorization(None)
            .send()
            .await
            .is_unauthorised();
    });
}

#[test]
fn a_wrong_token_in_the_header_is_refused() {
    case(&[], async |bridge| {
        for token in wrong_tokens(&bridge.settings.hs_token) {
            let call = empty_transaction(bridge).authorization(Some(&format!("Bearer {token}")));
            call.send().await.is_unauthorised();
        }
    });
}

#[test]
fn a_wrong_token_in_the_query_is_refused() {
    case(&[], async |bridge| {
        for token in wrong_tokens(&bridge.settings.hs_token) {
            let call = empty_transaction(bridge)
                .authorization(None)
                .query("access_token", &token);
            call.send().await.is_unauthorised();
        }
    });
}

#[test]
fn two_tokens_that_contradict_each_other_get_a_plain_answer() {
    case(&[], async |bridge| {
        let token = bridge.settings.hs_token.clone();
        let wrong_query = empty_transaction(bridge).query("access_token", "wrong");
        let wrong_header = empty_transaction(bridge)
            .authorization(Some("Bearer wrong"))
            .query("access_token", &token);
        for call in [wrong_query, wrong_header] {
            let answer = call.send().await;
            if answer.status == 200 {
                answer.is_accepted();
            } else {
                answer.is_unauthorised();
            }
        }
    });
}

#[test]
fn another_scheme_than_bearer_is_refused() {
    case(&[], async |bridge| {
        let token = &bridge.settings.hs_token;
        for value in [
            format!("Basic {token}"),
            format!("Token {token}"),
            format!("Bearer{token}"),
            token.clone(),
        ] {
            empty_transaction(bridge)
                .authorization(Some(&value))
                .send()
                .await
                .is_unauthorised();
        }
    });
}

/// HTTP calls the scheme case-insensitive (RFC 9110, 11.1), Matrix writes it `Bearer`: both readings are fine.
#[test]
fn the_scheme_in_lower_case_is_understood_or_refused() {
    case(&[], async |bridge| {
        for scheme in ["bearer", "BEARER"] {
            let value = format!("{scheme} {}", bridge.settings.hs_token);
            let answer = empty_transaction(bridge).authorization(Some(&value)).send().await;
            if answer.status == 200 {
                answer.is_accepted();
            } else {
                answer.is_unauthorised();
            }
            let value = format!("{scheme} wrong");
            empty_transaction(bridge)
                .authorization(Some(&value))
                .send()
                .await
                .is_unauthorised();
        }
    });
}

#[test]
fn every_endpoint_demands_the_token() {
    case(&[], async |bridge| {
        for (method, path) in endpoints(bridge, "/_matrix/app/v1", "/_matrix/app/v1") {
            demands_the_token(bridge, &method, &path).await;
        }
        demands_the_token(bridge, &Method::POST, "/_matrix/app/v1/ping").await;
    });
}

#[test]
fn every_legacy_endpoint_demands_the_token() {
    case(&[], async |bridge| {
        for (method, path) in endpoints(bridge, "", "/_matrix/app/unstable") {
            demands_the_token(bridge, &method, &path).await;
        }
    });
}

#[test]
fn an_unauthorised_transaction_leaves_no_trace() {
    case(&[Need::Room], async |bridge| {
        let stolen = bridge.message("not from the homeserver");
        let txn = new_txn();
        let call = bridge
            .call(Method::PUT, &transaction_path(&txn))
            .authorization(Some("Bearer wrong"));
        call.json(&json!({"events": [stolen]})).send().await.is_unauthorised();
        // Neither is the event known now nor the transaction's id used up.
        let real = bridge.message("from the homeserver");
        bridge.push_as(&txn, &json!({"events": [real]})).await.is_accepted();
        bridge.delivers(&[real]).await;
    });
}

/// Everything that comes near to the token without being it.
fn wrong_tokens(token: &str) -> Vec<String> {
    let mut shorter = token.to_owned();
    let last = shorter.pop().unwrap_or('x');
    let other = if last == 'x' { 'y' } else { 'x' };
    let mut tokens = vec![
        "wrong".to_owned(),
        String::new(),
        format!("{token}x"),
        format!("x{token}"),
        format!("{shorter}{other}"),
        format!("{token},{token}"),
        token.repeat(2),
        "x".repeat(4096),
        shorter,
    ];
    let changed: String = token.chars().map(swap_case).collect();
    if changed != token {
        tokens.push(changed);
    }
    tokens
}

fn swap_case(letter: char) -> char {
    if letter.is_ascii_uppercase() {
        letter.to_ascii_lowercase()
    } else {
        letter.to_ascii_uppercase()
    }
}

fn endpoints(bridge: &Bridge, base: &str, thirdparty: &str) -> Vec<(Method, String)> {
    let server = bridge.settings.server();
    let user = segment(&format!("@someone:{server}"));
    let alias = segment(&format!("#somewhere:{server}"));
    let protocol = bridge.settings.protocol.as_deref().unwrap_or("any");
    vec![
        (Method::PUT, format!("{base}/transactions/{}", Uuid::new_v4())),
        (Method::GET, format!("{base}/users/{user}")),
        (Method::GET, format!("{base}/rooms/{alias}")),
        (Method::GET, format!("{thirdparty}/thirdparty/protocol/{protocol}")),
        (Method::GET, format!("{thirdparty}/thirdparty/user/{protocol}")),
        (Method::GET, format!("{thirdparty}/thirdparty/location/{protocol}")),
        (Method::GET, format!("{thirdparty}/thirdparty/user?userid={user}")),
        (Method::GET, format!("{thirdparty}/thirdparty/location?alias={alias}")),
    ]
}

async fn demands_the_token(bridge: &Bridge, method: &Method, path: &str) {
    let call = || {
        let call = bridge.call(method.clone(), path);
        if *method == Method::GET {
            call
        } else {
            call.json(&json!({"events": []}))
        }
    };
    call().authorization(None).send().await.is_unauthorised();
    call()
        .authorization(Some("Bearer wrong"))
        .send()
        .await
        .is_unauthorised();
    call()
        .authorization(None)
        .query("access_token", "wrong")
        .send()
        .await
        .is_unauthorised();
}
