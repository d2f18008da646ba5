//! Good tokens, bad ones, and the keys they are checked with.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use futures_util::FutureExt;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use super::*;

const PRIVATE: &[u8] = include_bytes!("../../cli/token/test-key.pem");
const PUBLIC: &[u8] = include_bytes!("../../cli/token/test-key.pub.pem");
const ALICE: &str = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11";

pub(crate) fn now() -> Timestamp {
    Timestamp::from_timestamp(1_767_863_730, 0).unwrap()
}

fn claims() -> Value {
    let now = now().timestamp();
    json!({
        "sub": ALICE, "iat": now - 60, "nbf": now - 60, "exp": now + 3600, "token_type": "access",
        "email": "alice@example.com", "username": "alice", "jti": "0d4c7a95-62b1-4f0e-8b3d-51c9e7a2f686",
    })
}

fn sign(kid: Option<&str>, claims: &Value) -> String {
    let header = Header {
        kid: kid.map(str::to_owned),
        ..Header::new(Algorithm::RS256)
    };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_pem(PRIVATE).unwrap()).unwrap()
}

/// A good token.
pub(crate) fn token(user: &str, username: &str) -> String {
    let mut claims = claims();
    claims["sub"] = user.into();
    claims["username"] = username.into();
    sign(None, &claims)
}

/// Takes the tokens of [`token`].
pub(crate) fn authenticator() -> Authenticator {
    Authenticator::from_pem([PUBLIC]).unwrap()
}

async fn verdict(change: impl FnOnce(&mut Value)) -> Result<TokenOwner, String> {
    let mut claims = claims();
    change(&mut claims);
    let token = sign(None, &claims);
    authenticator()
        .verify(&token, now())
        .await
        .map_err(|denied| denied.to_string())
}

#[tokio::test]
async fn a_good_token_names_its_owner() {
    let owner = verdict(|claims| claims["sub"] = ALICE.to_uppercase().into()).await;
    let alice = TokenOwner {
        user: ALICE.parse().unwrap(),
        username: "alice".to_owned(),
    };
    assert_eq!(owner, Ok(alice));
}

#[tokio::test]
async fn each_claim_counts() {
    let at = |seconds: i64| Value::from(now().timestamp() + seconds);
    let none = Value::Null;
    for (claim, value, good) in [
        ("exp", at(-30), true),
        ("exp", at(-31), false),
        ("nbf", at(30), true),
        ("nbf", at(31), false),
        ("nbf", none.clone(), true),
        ("iat", at(300), true),
        ("iat", at(301), false),
        ("iat", none.clone(), false),
        ("exp", none.clone(), false),
        ("exp", "soon".into(), false),
        ("jti", none.clone(), false),
        ("jti", " ".into(), false),
        ("email", none.clone(), false),
        ("username", none.clone(), false),
        ("username", " ".into(), false),
        ("token_type", none, false),
        ("token_type", "refresh".into(), true),
        ("sub", "alice".into(), false),
        ("aud", "anybody".into(), true),
        ("account_type", "alias".into(), true),
    ] {
        let owner = verdict(|claims| claims[claim] = value.clone()).await;
        assert_eq!(owner.is_ok(), good, "{claim}: {value}: {owner:?}");
    }
}

#[tokio::test]
async fn a_refresh_token_passes_only_where_the_admin_lets_it() {
    let mut claims = claims();
    claims["token_type"] = "refresh".into();
    let strict = authenticator().requiring_access_token(true);
    let denied = strict.verify(&sign(None, &claims), now()).await.unwrap_err();
    assert_eq!(denied.to_string(), "the token is no access token");
    claims["token_type"] = "access".into();
    assert!(strict.verify(&sign(None, &claims), now()).await.is_ok());
}

#[tokio::test]
async fn no_other_algorithm_and_no_other_key_is_taken() {
    let auth = authenticator();
    let hmac = EncodingKey::from_secret(PUBLIC);
    let confused = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(), &hmac).unwrap();
    let good = sign(None, &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (_, payload) = signed.split_once('.').unwrap();
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let swapped: String = signature.chars().rev().collect();
    let forged = format!("{signed}.{swapped}");
    for token in [&*confused, &*unsigned, &*forged, "", "a.b", "a.b.c", "ü.ü.ü"] {
        assert!(
            matches!(auth.verify(token, now()).await, Err(Denied::Bad(_))),
            "{token}"
        );
    }
    assert!(auth.verify(&good, now()).await.is_ok());
}

#[test]
fn what_is_no_key_is_refused() {
    assert!(Authenticator::from_pem([b"no key".as_slice()]).is_err());
}

/// A key set that counts how often it is asked for, and what it answers next.
fn key_set(answers: Vec<Option<&'static [&'static str]>>) -> (Authenticator, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let (count, answers) = (Arc::clone(&asked), Mutex::new(answers.into_iter()));
    let fetch: FetchKeys = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let answer = answers.lock().unwrap().next().expect("asked once too often");
        let set = answer.map(|names| {
            let named = |name: &&str| {
                let key = EncodingKey::from_rsa_pem(PRIVATE).unwrap();
                let mut key = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
                key.common.key_id = Some((*name).to_owned());
                key
            };
            JwkSet {
                keys: names.iter().map(named).collect(),
            }
        });
        async move { set.ok_or_else(|| "Nova is away".into()) }.boxed()
    });
    (Authenticator::from_key_set(fetch), asked)
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_a_minute() {
    let (auth, asked) = key_set(vec![Some(&["old"]), Some(&["old", "new"])]);
    let (old, new) = (sign(Some("old"), &claims()), sign(Some("new"), &claims()));
    assert!(auth.verify(&old, now()).await.is_ok());
    for _ in 0..3 {
        assert!(matches!(auth.verify(&new, now()).await, Err(Denied::Bad(_))));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let later = now() + TimeDelta::minutes(1);
    assert!(auth.verify(&new, later).await.is_ok());
    assert!(auth.verify(&old, later).await.is_ok());
    assert!(auth.verify(&sign(None, &claims()), later).await.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_not_good_for_ever() {
    let (auth, _) = key_set(vec![Some(&["old"]), Some(&["new"])]);
    let mut claims = claims();
    claims["exp"] = (now().timestamp() + 9000).into();
    let old = sign(Some("old"), &claims);
    assert!(auth.verify(&old, now()).await.is_ok());
    let later = now() + TimeDelta::hours(1);
    assert!(matches!(auth.verify(&old, later).await, Err(Denied::Bad(_))));
}

#[tokio::test]
async fn while_the_keys_cannot_be_had_nobody_is_called_a_liar() {
    let (auth, asked) = key_set(vec![None, Some(&["old"]), None]);
    let old = sign(Some("old"), &claims());
    assert!(matches!(auth.verify(&old, now()).await, Err(Denied::NoKeys(_))));
    assert!(matches!(auth.verify(&old, now()).await, Err(Denied::NoKeys(_))));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let soon = now() + TimeDelta::seconds(5);
    assert!(auth.verify(&old, soon).await.is_ok());
    let later = soon + TimeDelta::minutes(50);
    assert!(auth.verify(&old, later).await.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let much_later = now() + TimeDelta::minutes(60) + TimeDelta::seconds(20);
    // The known keys stay good while Nova is away.
    let owner = auth.verify(&old, much_later).await;
    assert!(owner.is_ok(), "{owner:?}");
}
