//! A restart of Postgres is known to whoever holds a connection that was made after it.

use sqlx::ConnectOptions;

use super::*;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_restart_is_noticed_until_it_is_trusted(pool: PgPool) {
    let url = pool.connect_options().to_url_lossy();
    let store = Store::open(Store::pool(url.as_str(), 3).unwrap()).await.unwrap();
    let server = store.server();
    let before = server.trusted();
    drop(store.begin().await.unwrap());
    assert!(!server.restarted(), "each connection meets the same run");
    server.still_in(before).unwrap();

    server.restart();
    assert!(server.restarted());
    let error = server.still_in(before).unwrap_err();
    assert!(
        error.unavailable() && !error.refuses_data(),
        "Synapse has to come again"
    );

    server.trust();
    assert!(!server.restarted());
    server.still_in(before).unwrap_err();
    server.still_in(server.trusted()).unwrap();
    store.close().await;
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_connection_meets_its_server(pool: PgPool) {
    let url = pool.connect_options().to_url_lossy();
    let database = Store::pool(url.as_str(), 3).unwrap();
    let server = database.server.clone();
    assert!(!server.restarted(), "nothing was met yet");
    let connection = database.pool.acquire().await.unwrap();
    assert!(server.restarted(), "met by the connection, and not trusted by anybody");
    drop(connection);
    let store = Store::open(database).await.unwrap();
    assert!(!server.restarted());
    store.close().await;
}
