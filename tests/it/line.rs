//! What Synapse pushes waits for nobody else in this process, nor for a connection to Postgres.

use std::time::Duration;

use nova_bridge::app::App;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::chat::direct;
use crate::support::bridge::TestBridge;

/// As many as the pool of the tests holds.
const CONNECTIONS: u32 = 5;

/// How long it may take where it would otherwise never happen.
const LONG: Duration = Duration::from_secs(30);

fn said(room: &str, event_id: &str) -> Value {
    json!({
        "type": "m.room.message", "room_id": room, "sender": "@alice:example.org", "event_id": event_id,
        "origin_server_ts": 1, "content": { "msgtype": "m.text", "body": event_id },
    })
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Waits until nothing is under way that could hold a lock while this thread does nothing, and what is pushed needs no look
/// into its room.
async fn quiet(bridge: &TestBridge) {
    let client = client();
    let metrics = format!("http://{}/metrics", bridge.app().addresses.metrics);
    loop {
        let text = client.get(&metrics).send().await.unwrap().text().await.unwrap();
        if !text.contains("\nnova_bridge_catch_ups_total 0\n") {
            break;
        }
    }
    bridge.settled().await;
    bridge
        .until("SELECT NOT EXISTS (SELECT FROM outbox_lanes WHERE leased_by IS NOT NULL)")
        .await;
    // What the last of them brought about.
    bridge.settled().await;
    bridge
        .until(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                                AND xact_start IS NOT NULL AND pid <> pg_backend_pid())",
        )
        .await;
}

/// Pushes an event while this thread, on which everything else of the bridge runs, does nothing.
fn push_alone(app: &App, event: Value) -> u16 {
    let txn_id = event["event_id"].as_str().unwrap().trim_start_matches('$').to_owned();
    let url = format!(
        "http://{}/_matrix/app/v1/transactions/{txn_id}",
        app.addresses.appservice
    );
    let pushing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let request = client().put(url).bearer_auth("hs-token").timeout(LONG);
            let answer = request.json(&json!({ "events": [event] })).send().await;
            answer.map_or(0, |answer| answer.status().as_u16())
        })
    });
    pushing.join().unwrap()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn synapse_is_answered_while_everybody_else_is_busy(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    quiet(&bridge).await;
    // The first opens a connection to Postgres, the next one uses it.
    for event in ["$first", "$second"] {
        assert_eq!(push_alone(bridge.app(), said(&room, event)), 200);
    }
    for event in ["$first", "$second"] {
        assert_eq!(socket.next("message.new").await["content"], event);
    }
    assert_eq!(ana.texts(&conversation).await, ["$first", "$second"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn synapse_is_answered_while_all_connections_are_taken(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    quiet(&bridge).await;
    let store = bridge.app().bridge.store();
    let mut taken = Vec::new();
    while store.pool_use() != (CONNECTIONS, 0) {
        taken.push(store.read().await.unwrap());
    }
    let pushed = bridge.homeserver.push_raw(vec![said(&room, "$alone")]);
    // Whoever waits for the pool gives up after ten seconds.
    assert_eq!(pushed.await, 200);
    drop(taken);
    assert_eq!(ana.texts(&conversation).await, ["$alone"]);
}
