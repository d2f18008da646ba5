//! What was said is found again, by whoever may see it.

use serde_json::Value;
use sqlx::PgPool;

use super::direct;
use crate::support::bridge::{NovaUser, TestBridge};

/// Searches until something is found: the index comes a moment later.
async fn finds(who: &NovaUser, path: &str, query: &str) -> Vec<String> {
    loop {
        let found = once(who, path, query).await;
        if !found.is_empty() {
            return found;
        }
    }
}

async fn once(who: &NovaUser, path: &str, query: &str) -> Vec<String> {
    let (status, found) = who.get(&format!("{path}?q={query}")).await;
    assert_eq!(status, 200, "{found}");
    let found = found.as_array().unwrap().iter();
    found.map(|it| it["content"].as_str().unwrap().to_owned()).collect()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn messages_of_both_sides_are_found_by_their_words(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&room, "We meet at the Café at noon");
    alice.send_text(&room, "東京で会いましょう");
    bridge.homeserver.wait_until_pushed().await;
    ana.say(&conversation, "The café is closed, it's Sunday").await;
    let here = format!("/conversations/{conversation}/messages/search");
    // The last one is in the index, so the others are.
    assert_eq!(finds(&ana, &here, "closed").await, ["The café is closed, it's Sunday"]);

    assert_eq!(once(&ana, &here, "CAFE").await.len(), 2);
    assert_eq!(
        once(&ana, &here, "caf%C3%A9+noon").await,
        ["We meet at the Café at noon"]
    );
    assert_eq!(once(&ana, &here, "it%27s").await, ["The café is closed, it's Sunday"]);
    assert_eq!(once(&ana, &here, "clo").await.len(), 1, "the beginning of a word");
    assert!(once(&ana, &here, "clo%20").await.is_empty(), "a whole word");
    assert_eq!(once(&ana, &here, "%E6%9D%B1%E4%BA%AC").await, ["東京で会いましょう"]);
    assert!(
        once(&ana, &here, "%E4%BA%AC%E6%9D%B1").await.is_empty(),
        "the other way round"
    );
    assert_eq!(once(&ana, "/messages/search", "cafe").await.len(), 2);
    assert_eq!(once(&ana, "/api/v1/messages/search", "cafe").await.len(), 2);

    // Nobody else finds anything.
    assert!(once(&ben, "/messages/search", "cafe").await.is_empty());
    assert_eq!(ben.get(&format!("{here}?q=cafe")).await.0, 403);
    for wrong in ["", "q=", "q=%3F%21", "q=x&limit=0", "q=x&offset=-1", "q=x&offset=10001"] {
        let (status, answer) = ana.get(&format!("{here}?{wrong}")).await;
        assert_eq!(
            (status, &answer["code"]),
            (400, &Value::from("INVALID_REQUEST")),
            "{wrong}"
        );
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_was_said_before_there_was_an_index_is_found(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (_, conversation) = direct(&bridge, &ana).await;
    ana.say(&conversation, "long ago").await;
    finds(&ana, "/messages/search", "ago").await;
    bridge.stop().await;
    sqlx::query("TRUNCATE message_search, search_progress")
        .execute(&bridge.pool)
        .await
        .unwrap();
    bridge.start_again().await;
    let ana = bridge.account("ana").await;
    ana.say(&conversation, "just now").await;
    assert_eq!(finds(&ana, "/messages/search", "ago").await, ["long ago"]);
    assert_eq!(finds(&ana, "/messages/search", "now").await, ["just now"]);
}
