//! The smallest pool is slow, and nothing worse.

use std::time::Duration;

use nova_bridge::bridge::accounts::AccountProfile;
use nova_bridge::bridge::feed::FeedSink;
use nova_bridge::domain::feed::FeedEntry;
use nova_bridge::domain::ids::UserId;
use nova_bridge::store::Store;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Looks something up for each entry, as the hub does.
struct Curious {
    store: Store,
    told: mpsc::UnboundedSender<usize>,
}

impl FeedSink for Curious {
    async fn publish(&self, entries: Vec<FeedEntry>) {
        let looked = tokio::time::timeout(Duration::from_secs(5), self.store.read()).await;
        if looked.is_ok_and(|connection| connection.is_ok()) {
            self.told.send(entries.len()).unwrap();
        }
    }
}

#[sqlx::test]
async fn whoever_is_told_of_the_feed_finds_a_free_connection(database: PgPool) {
    // The feed's own, and one more.
    let small = PgPoolOptions::new()
        .max_connections(2)
        .connect_with((*database.connect_options()).clone())
        .await
        .unwrap();
    let (bridge, _registry) = crate::gauges::bridge(small).await;
    let (told, mut heard) = mpsc::unbounded_channel();
    let sink = Curious {
        store: bridge.store().clone(),
        told,
    };
    let stop = CancellationToken::new();
    let end = bridge.feed_end().await.unwrap();
    let follows = TaskTracker::new().spawn({
        let (bridge, stop) = (bridge.clone(), stop.clone());
        async move { bridge.follow_feed(end, sink, stop).await }
    });
    let people = ["ana", "ben"].map(|name| (UserId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())), name));
    for (user, name) in people {
        let profile = AccountProfile {
            username: name.to_owned(),
            display_name: None,
            avatar_url: None,
        };
        bridge.put_account(user, profile).await.unwrap();
    }
    bridge.open_direct(people[0].0, &people[1].0.to_string()).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
    assert_eq!(told.unwrap(), Some(1));
    stop.cancel();
    follows.await.unwrap();
}

#[sqlx::test]
async fn a_token_renames_only_accounts_that_nobody_described(database: PgPool) {
    let (bridge, _registry) = crate::gauges::bridge(database).await;
    let user = UserId(Uuid::from_u128(0xA));
    let name = async || bridge.find_account(user).await.unwrap().unwrap().username.unwrap();
    for token in ["first", "second"] {
        bridge.ensure_account(user, token).await.unwrap();
        assert_eq!(name().await, token);
    }
    let described = AccountProfile {
        username: "described".to_owned(),
        display_name: None,
        avatar_url: None,
    };
    bridge.put_account(user, described).await.unwrap();
    bridge.ensure_account(user, "third").await.unwrap();
    assert_eq!(name().await, "described");
}
