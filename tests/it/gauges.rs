//! The gauges that are brought in step from time to time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nova_bridge::bridge::accounts::AccountProfile;
use nova_bridge::bridge::calls::CallSettings;
use nova_bridge::bridge::ice::IceSettings;
use nova_bridge::bridge::{Bridge, CreateRooms, Parts, Settings};
use nova_bridge::domain::clock::SystemClock;
use nova_bridge::domain::ghost::Ghosts;
use nova_bridge::domain::random::SystemRandom;
use nova_bridge::matrix::{self, Homeserver};
use nova_bridge::metrics;
use nova_bridge::store::Store;
use prometheus_client::registry::Registry;
use ruma::{owned_user_id, server_name};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

pub(crate) async fn bridge(database: PgPool) -> (Bridge, Registry) {
    let (metrics, registry) = metrics::new();
    let nowhere = "http://127.0.0.1:1".parse().unwrap();
    let settings = matrix::Settings::new(nowhere, "as-token".to_owned().into(), Duration::from_secs(1));
    let bridge = Bridge::new(Parts {
        store: Store::open(database).await.unwrap(),
        homeserver: Homeserver::new(settings).unwrap(),
        profile_source: None,
        ghosts: Ghosts::new(server_name!("example.org")),
        settings: Settings {
            line: ruma::owned_room_alias_id!("#nova_line:example.org"),
            permissions: nova_bridge::domain::bot::Permissions(BTreeMap::new()),
            create_rooms: CreateRooms::Always,
            dm_permission: nova_bridge::domain::request::DmPermission::Anyone,
            space_per_user: false,
            bot: owned_user_id!("@novabot:example.org"),
            sender: owned_user_id!("@_nova_bridge:example.org"),
            receipts: nova_bridge::bridge::receipts::ReceiptsTold::Public,
            presence: false,
            calls: CallSettings::default(),
            ice: IceSettings::default(),
            media: nova_bridge::bridge::media::MediaSettings::default(),
        },
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        metrics,
    });
    (bridge, registry)
}

fn value(registry: &Registry, name: &str) -> f64 {
    let text = metrics::encode(registry).unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

#[sqlx::test]
async fn the_outbox_the_dead_letters_and_the_pool_are_measured(database: PgPool) {
    let (bridge, registry) = bridge(database.clone()).await;
    bridge.measure_once().await.unwrap();
    assert!(value(&registry, "nova_bridge_outbox_pending") < 0.5);

    let alice = AccountProfile {
        username: "alice".to_owned(),
        display_name: None,
        avatar_url: None,
    };
    let user = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11".parse().unwrap();
    bridge.put_account(user, alice).await.unwrap();
    let letter = "INSERT INTO dead_letters (id, direction, reason, detail, payload, created_at)
                  VALUES (gen_random_uuid(), 'from_matrix', 'malformed', '', '{}', now())";
    sqlx::query(letter).execute(&database).await.unwrap();
    let older = "UPDATE outbox SET created_at = now() - interval '1 minute'";
    sqlx::query(older).execute(&database).await.unwrap();
    bridge.measure_once().await.unwrap();
    assert!(value(&registry, "nova_bridge_outbox_pending") > 0.5);
    assert!(value(&registry, "nova_bridge_outbox_oldest_seconds") >= 59.0);
    assert!(value(&registry, "nova_bridge_dead_letters") > 0.5);
    let idle = value(&registry, "nova_bridge_database_pool{state=\"idle\"}");
    let busy = value(&registry, "nova_bridge_database_pool{state=\"busy\"}");
    // A connection that was just used may still be on its way back.
    assert!(idle + busy >= 1.0, "{idle} {busy}");
}

#[sqlx::test]
async fn measuring_ends_on_demand_and_not_with_the_database(database: PgPool) {
    let (bridge, _registry) = bridge(database.clone()).await;
    database.close().await;
    let stop = CancellationToken::new();
    let measuring = bridge.measure(stop.clone());
    tokio::pin!(measuring);
    let soon = Duration::from_millis(50);
    assert!(tokio::time::timeout(soon, &mut measuring).await.is_err());
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), measuring).await.unwrap();
}
