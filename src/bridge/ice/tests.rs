//! What is handed out, as far as no homeserver is needed for it.

use chrono::{TimeZone, Utc};
use uuid::Uuid;

use super::*;

#[test]
fn what_is_signed_is_what_a_turn_server_with_the_secret_computes() {
    let turn = SharedTurn {
        uris: vec!["turn:turn.example.org".to_owned()],
        secret: SecretString::from("north"),
        lifetime: Duration::from_hours(24),
    };
    let user = UserId(Uuid::from_u128(0xA11CE));
    let now = Utc.with_ymd_and_hms(2026, 1, 8, 9, 15, 30).unwrap();
    let server = credentials::signed(&turn, user, now);
    assert_eq!(
        server.username.as_deref(),
        Some("1767950130:00000000-0000-0000-0000-0000000a11ce")
    );
    // printf %s "$username" | openssl dgst -sha1 -hmac north -binary | base64
    assert_eq!(
        server.credential.as_ref().map(Credential::exposed),
        Some("C5p/xd0VQs7qRLFbuwKDoZpa9w0=")
    );
    assert_eq!(server.urls, turn.uris);
    assert!(
        !format!("{server:?}").contains("C5p/xd0VQs7qRLFbuwKDoZpa9w0="),
        "no password in a log"
    );
}

#[test]
fn what_the_homeserver_gives_is_used_for_half_of_its_life() {
    let now = Utc.with_ymd_and_hms(2026, 1, 8, 9, 15, 30).unwrap();
    let turn = |ttl| TurnServer {
        uris: vec!["turn:turn.example.org".to_owned()],
        username: Some("name".to_owned()),
        password: Some(SecretString::from("word")),
        ttl,
    };
    let given = remembered(turn(3600), now);
    assert_eq!(
        (given.ask_again - now, given.ends - now),
        (TimeDelta::minutes(30), TimeDelta::hours(1))
    );
    assert_eq!(remembered(turn(0), now).ends - now, TimeDelta::minutes(1));
    assert!(remembered(turn(u64::MAX), now).ends - now <= TimeDelta::days(7));
    assert_eq!(remembered(TurnServer::default(), now).server, None);
}
