//! Mute and archive: each for oneself.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::direct;
use crate::support::bridge::{NovaUser, TestBridge};

async fn listed(nova: &NovaUser, query: &str) -> Vec<String> {
    let (status, list) = nova.get(&format!("/conversations{query}")).await;
    assert_eq!(status, 200, "{list}");
    let found = list["conversations"].as_array().unwrap();
    assert_eq!(list["total"], found.len());
    let (_, gateway) = nova.get(&format!("/api/v2/chat/conversations{query}")).await;
    assert_eq!(gateway.as_array().unwrap().len(), found.len());
    found.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

async fn set(nova: &NovaUser, method: Method, path: &str, body: Value) -> u16 {
    nova.request(method, path, Some(body)).await.0
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_conversation_is_muted_and_put_away_by_one_person_alone(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let body = json!({ "name": "Tea", "member_ids": [ben.id] });
    let group = ana.post("/conversations/groups", body).await.1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, chat) = direct(&bridge, &ben).await;
    let (mut his, mut hers) = (ben.socket().await, ana.socket().await);
    // No admin is needed for that, and other clients of his are told.
    let settings = format!("/conversations/{group}/settings");
    assert_eq!(
        set(&ben, Method::PATCH, &settings, json!({ "is_archived": true })).await,
        200
    );
    let told = his.next("conversation.updated").await;
    assert_eq!((&told["is_archived"], &told["is_muted"]), (&json!(true), &json!(false)));
    assert_eq!(listed(&ben, "").await, [chat.as_str()]);
    assert_eq!(listed(&ben, "?archived=false").await, [chat.as_str()]);
    assert_eq!(listed(&ben, "?archived=true").await, [group.as_str()]);
    assert_eq!(listed(&ana, "").await, [group.as_str()]);
    // A direct chat can be muted at the gateway's address, by its older name.
    let path = format!("/api/v2/chat/conversations/{chat}");
    for _ in 0..2 {
        assert_eq!(set(&ben, Method::PUT, &path, json!({ "muted": true })).await, 200);
    }
    assert_eq!(his.next("conversation.updated").await["is_muted"], true);
    let shown = ben.get(&format!("/conversations/{chat}")).await.1;
    assert_eq!(
        (&shown["is_muted"], &shown["is_archived"]),
        (&json!(true), &json!(false))
    );
    // What is said in it is counted and shown all the same, and it stays where he put it.
    ana.say(&group, "anybody?").await;
    his.texts(1).await;
    let shown = ben.get(&format!("/conversations/{group}")).await.1;
    assert_eq!(
        (&shown["unread_count"], &shown["is_archived"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(
        set(&ben, Method::PATCH, &settings, json!({ "is_archived": false })).await,
        200
    );
    assert_eq!(
        his.next("conversation.updated").await["is_archived"],
        false,
        "once for each change"
    );
    assert_eq!(listed(&ben, "").await.len(), 2);
    // She was told of nothing.
    loop {
        let frame = hers.frame().await;
        assert_ne!(frame["type"], "conversation.updated");
        if frame["type"] == "message.new" {
            break;
        }
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn only_members_and_only_switches(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let body = json!({ "name": "Tea", "member_ids": [ben.id] });
    let group = ana.post("/conversations/groups", body).await.1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, others) = direct(&bridge, &ana).await;
    let settings = |id: &str| format!("/conversations/{id}/settings");
    let mute = json!({ "is_muted": true });
    assert_eq!(set(&ben, Method::PATCH, &settings(&others), mute.clone()).await, 403);
    let unknown = settings(&uuid::Uuid::from_u128(1).to_string());
    assert_eq!(set(&ben, Method::PATCH, &unknown, mute).await, 404);
    assert_eq!(
        set(&ben, Method::PATCH, &settings(&group), json!({ "is_muted": "yes" })).await,
        400
    );
    // What needs an admin is refused, and nothing else is done then.
    let both = json!({ "name": "Coffee", "is_muted": true });
    assert_eq!(set(&ben, Method::PATCH, &settings(&group), both).await, 403);
    let shown = ben.get(&format!("/conversations/{group}")).await.1;
    assert_eq!((&shown["name"], &shown["is_muted"]), (&json!("Tea"), &json!(false)));
}
