//! Three people where two talked before.

use serde_json::json;
use sqlx::PgPool;

use super::{conversation_of, direct, room_of};
use crate::support::bridge::TestBridge;

async fn joins(bridge: &TestBridge, room: &str, user: &str) {
    bridge
        .homeserver
        .wait_for("they join", |world| {
            (world.rooms.get(room)?.membership(user) == "join").then_some(())
        })
        .await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_chat_of_three_shows_nobody_what_two_said(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let alice = bridge.homeserver.user("@alice:example.org");
    let (first, conversation) = direct(&bridge, &ana).await;
    alice.send_text(&first, "between us");
    bridge.homeserver.wait_until_pushed().await;

    let three = alice.create_room(&json!({
        "preset": "trusted_private_chat", "is_direct": true, "invite": [ana.mxid, ben.mxid],
    }));
    joins(&bridge, &three, &ben.mxid).await;
    joins(&bridge, &three, &ana.mxid).await;
    let group = conversation_of(&ben, &three).await;
    assert_eq!(conversation_of(&ana, &three).await, group);
    assert_ne!(group, conversation);
    assert!(ben.texts(&group).await.is_empty());
    let (status, _) = ben.get(&format!("/conversations/{conversation}/messages")).await;
    assert!((400..500).contains(&status), "{status}");

    assert_eq!(ana.texts(&conversation).await, ["between us"]);
    ana.say(&conversation, "still between us").await;
    let own = room_of(&bridge, &conversation).await;
    assert!(own != first && own != three);
    bridge
        .homeserver
        .wait_for("it arrives in a room of the two", |world| {
            (world.rooms.get(&own)?.texts() == ["still between us"]).then_some(())
        })
        .await;
    assert_eq!(bridge.homeserver.room(&own).membership("@alice:example.org"), "invite");
    alice.send_text(&three, "to all");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(ben.texts(&group).await, ["to all"]);
    assert_eq!(ana.open("@alice:example.org").await, conversation);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_conversation_that_becomes_a_group_meanwhile_is_not_given_out_as_a_direct_one(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (_, conversation) = direct(&bridge, &ana).await;
    bridge.homeserver.wait_until_pushed().await;
    let id: uuid::Uuid = conversation.parse().unwrap();
    let mut grows = bridge.pool.begin().await.unwrap();
    let grow = "WITH locked AS MATERIALIZED (SELECT lock_conversations(ARRAY[$1]::uuid[])),
                     gone AS (DELETE FROM direct_conversations WHERE conversation_id = $1)
                UPDATE conversations SET kind = 'group' FROM locked WHERE id = $1";
    sqlx::query(grow).bind(id).execute(&mut *grows).await.unwrap();
    let (opened, ()) = tokio::join!(ana.open("@alice:example.org"), async {
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database =
                         (SELECT oid FROM pg_database WHERE datname = current_database()))";
        bridge.until(waits).await;
        grows.commit().await.unwrap();
    });
    assert_ne!(opened, conversation);
}
