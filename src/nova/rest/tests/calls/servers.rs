//! STUN and TURN servers, as clients ask for them.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;

use super::{ALICE, App};
use crate::bridge::ice::{Credential, IceServer, IceSettings, SharedTurn};

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_servers_come_in_both_spellings_at_every_address(pool: PgPool) {
    let app = App::new(pool).await;
    for path in [
        "/calls/ice-servers",
        "/api/v1/calls/ice-servers",
        "/api/calls/ice-servers",
        "/rtc/ice-config",
    ] {
        let servers = app.get(ALICE, path).await;
        assert_eq!(servers.status, 200, "{path}");
        let both = [
            ("iceServers", "ice_servers"),
            ("ttlSeconds", "ttl_seconds"),
            ("iceTransportPolicy", "ice_transport_policy"),
        ];
        for (camel, snake) in both {
            assert!(servers.body[camel] == servers.body[snake] && !servers.body[camel].is_null());
        }
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn without_the_homeserver_the_secret_goes_before_fixed_servers_and_stun_stands_beside(pool: PgPool) {
    let fixed = IceServer {
        urls: vec!["turn:fixed.example.org".to_owned()],
        username: Some("nova".to_owned()),
        credential: Some(Credential::from("word".to_owned())),
    };
    let mut ice = IceSettings {
        turn: Some(SharedTurn {
            uris: vec!["turn:turn.example.org".to_owned()],
            secret: "north".into(),
            lifetime: Duration::from_hours(1),
        }),
        servers: vec![fixed],
        stun_uris: vec!["stun:stun.example.org".to_owned()],
    };
    let app = App::with_ice(pool.clone(), ice.clone()).await;
    insta::assert_json_snapshot!("ice_signed", app.get(ALICE, "/calls/ice-servers").await.body);
    ice.turn = None;
    let app = App::with_ice(pool.clone(), ice.clone()).await;
    insta::assert_json_snapshot!(
        "ice_fixed",
        app.get(ALICE, "/calls/ice-servers").await.body["iceServers"]
    );
    ice.servers.clear();
    let app = App::with_ice(pool, ice).await;
    let servers = app.get(ALICE, "/calls/ice-servers").await.body;
    assert_eq!(servers["ice_servers"], json!([{ "urls": ["stun:stun.example.org"] }]));
}
