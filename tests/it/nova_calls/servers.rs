//! STUN and TURN servers, as the homeserver gives them out, or does not.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Two;
use crate::support::homeserver::{Fault, On};

fn asked(two: &Two) -> Vec<String> {
    let requests = two.bridge.homeserver.requests();
    let asked = requests.into_iter().filter(|it| it.target.contains("turnServer"));
    asked.map(|it| it.target).collect()
}

async fn servers(two: &Two, path: &str) -> Value {
    let (status, servers) = two.ana.get(path).await;
    assert_eq!(status, 200, "{servers}");
    servers
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn those_of_the_homeserver_are_given_to_the_ghost_and_remembered(pool: PgPool) {
    let two = Two::new(pool).await;
    two.bridge
        .homeserver
        .set_turn_uri("turn:turn.example.org?transport=udp");
    let given = servers(&two, "/calls/ice-servers").await;
    let username = format!("1:{}", two.ana.mxid);
    let turn = json!({ "urls": ["turn:turn.example.org?transport=udp"], "username": username, "credential": "given",
        "credentialType": "password", "credential_type": "password" });
    assert_eq!(
        (&given["iceServers"], &given["ice_servers"]),
        (&json!([turn]), &json!([turn]))
    );
    let ttl = given["ttlSeconds"].as_u64().unwrap();
    assert!((3500..=3600).contains(&ttl) && given["ttl_seconds"] == ttl, "{given}");
    servers(&two, "/rtc/ice-config").await;
    servers(&two, "/api/calls/ice-servers").await;
    let path = format!("/conversations/{}/calls", two.conversation);
    let (_, placed) = two.ana.post(&path, json!({ "offer": super::offer("ana") })).await;
    assert_eq!(placed["ice_servers"], json!([turn]));
    assert_eq!(
        asked(&two),
        [format!(
            "/_matrix/client/v3/voip/turnServer?user_id={}",
            two.ana.mxid.replace('@', "%40").replace(':', "%3A")
        )]
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_homeserver_that_does_not_answer_keeps_nobody_from_calling(pool: PgPool) {
    let two = Two::new(pool).await;
    two.bridge
        .homeserver
        .fail_every(On::Path("turnServer"), Fault::Status(502, "M_UNKNOWN", None));
    let path = format!("/conversations/{}/calls", two.conversation);
    let (status, placed) = two.ana.post(&path, json!({ "offer": super::offer("ana") })).await;
    assert_eq!((status, &placed["ice_servers"]), (201, &json!([])));
    let given = servers(&two, "/calls/ice-servers").await;
    assert_eq!(given["iceServers"], json!([]));
    assert_eq!(asked(&two).len(), 1, "it is left alone for a while");
}
